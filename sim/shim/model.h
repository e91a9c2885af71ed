// Precompiled once for each set of flags; every file of every model begins with it.
#pragma once
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif
