#define SKREG_MODULE _avx512
#include "module.h"
