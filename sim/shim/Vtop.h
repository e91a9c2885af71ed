// What cocotb's main program needs of a model, without the model: main is compiled once, against
// this, and each model brings the definitions (model.cpp). The generated class is named Vmodel, so
// the two never meet in one file.
#pragma once
#include <cstdint>

#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif
#if VM_COVERAGE
#include "verilated_cov.h"
#endif

class Vtop {
 public:
    explicit Vtop(const char* name);
    ~Vtop();
    void eval_step();
    void eval_end_step();
    bool eventsPending();
    uint64_t nextTimeSlot();
    void final();
#if VM_TRACE
    void trace(VerilatedVcdC* file, int levels);
#endif

 private:
    void* model;
};
