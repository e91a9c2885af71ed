// Definitions of the class in Vtop.h for one generated model.
#include "Vmodel.h"
#include "Vtop.h"

static Vmodel* of(void* model) { return static_cast<Vmodel*>(model); }

Vtop::Vtop(const char* name) : model(new Vmodel(name)) {}
Vtop::~Vtop() { delete of(model); }
void Vtop::eval_step() { of(model)->eval_step(); }
void Vtop::eval_end_step() { of(model)->eval_end_step(); }
bool Vtop::eventsPending() { return of(model)->eventsPending(); }
uint64_t Vtop::nextTimeSlot() { return of(model)->nextTimeSlot(); }
void Vtop::final() { of(model)->final(); }
#if VM_TRACE
void Vtop::trace(VerilatedVcdC* file, int levels) { of(model)->trace(file, levels); }
#endif
