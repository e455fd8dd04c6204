#define SKREG_MODULE _avx2
#include "module.h"
