// Precompiled once for each set of flags; every file of every model begins with it.
#pragma once
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif
#if VM_COVERAGE
#include "verilated_cov.h"

// In place of Verilator's own, which (as of 5.048) shifts a word by more than it has bits and so
// counts a change of bit k of a signal of more than 64 bits as one of bit k + 32 too.
static inline void toggle_wide(int width, uint32_t* counts, WDataInP now, WDataInP before) {
    for (int bit = 0; bit < width; ++bit) {
        const EData level = now[bit / VL_EDATASIZE] >> (bit % VL_EDATASIZE) & 1;
        const EData was = before[bit / VL_EDATASIZE] >> (bit % VL_EDATASIZE) & 1;
        counts[2 * bit + level] += level ^ was;
    }
}
#define VL_COV_TOGGLE_CHG_ST_W toggle_wide
#endif
