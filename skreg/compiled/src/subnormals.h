// Subnormal numbers, on which an operation takes as long as a hundred others.
#pragma once

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace skreg {

// Takes them for zero as long as it lives.
class FlushedSubnormals {
#if defined(__SSE__)
  public:
    FlushedSubnormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }
    ~FlushedSubnormals() { _mm_setcsr(before_); }

  private:
    unsigned before_;
#endif
};

}  // namespace skreg
