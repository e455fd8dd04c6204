"""The one training path: from requests to trained networks, in stacks."""
