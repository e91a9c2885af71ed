// Definitions of the class in Vtop.h for one generated model.
#include "Vmodel.h"
#include "Vtop.h"

static Vmodel* of(void* model) { return static_cast<Vmodel*>(model); }

Vtop::Vtop(const char* name) : model(new Vmodel(name)) {}
Vtop::~Vtop() { delete of(model); }
#if VM_COVERAGE
// What the first evaluation counts is how signals come to their values at the start: no change.
static bool begun = false;
void Vtop::eval_step() {
    of(model)->eval_step();
    if (!begun) Verilated::threadContextp()->coveragep()->write("coverage_start.dat");
    begun = true;
}
#else
void Vtop::eval_step() { of(model)->eval_step(); }
#endif
void Vtop::eval_end_step() { of(model)->eval_end_step(); }
bool Vtop::eventsPending() { return of(model)->eventsPending(); }
uint64_t Vtop::nextTimeSlot() { return of(model)->nextTimeSlot(); }
void Vtop::final() { of(model)->final(); }
#if VM_TRACE
void Vtop::trace(VerilatedVcdC* file, int levels) { of(model)->trace(file, levels); }
#endif
