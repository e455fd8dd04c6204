#define SKREG_MODULE _generic
#include "module.h"
