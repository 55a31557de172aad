// SPDX-License-Identifier: Apache-2.0
// One Verilated tile and its host port: whole batches of requests per call.
//
// A clock cycle is what lies between two rising edges. Inputs are set after a rising edge and
// settle with the falling one; outputs are then read, and the next rising edge acts on them.

#include "Vbench.h"
#include "Vbench___024root.h"
#include "verilated.h"
#ifdef SITES
#include "verilated_syms.h"
#endif

#include <cstdint>
#include <cstdlib>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

void Vbench___024root___eval(Vbench___024root* root);

double sc_time_stamp() { return 0; }

namespace {

// Cycles without any transfer after which the host port counts as stuck.
constexpr int64_t PATIENCE = 1 << 22;
// Between calls of the progress function.
constexpr int64_t REPORT_CYCLES = 1 << 19;

enum Result { DONE = 0, TIMED_OUT = 1, HOST_STUCK = 2, STOPPED = 3, PROTOCOL = 4 };

struct Spike {
    int32_t run, step, neuron;  // event mode: run 0, and the event for the step
    int64_t cycle;
};

struct Sim {
    VerilatedContext context;
    Vbench tile{&context, ""};
    uint64_t cycles = 0;
    std::vector<Spike> spikes;

    Sim() {
        tile.clk = 0;
        tile.i_valid = 0;
        tile.i_payload = 0;
        tile.request_valid = 0;
        tile.request_payload = 0;
        tile.eval();
        rise();  // the cycle of reset
        fall();
    }

    ~Sim() { tile.final(); }

    void rise() {
        tile.clk = 1;
        evaluate();
        cycles++;
    }

    void fall() {
        tile.clk = 0;
        evaluate();
    }

    // Verilator's eval() without messages and housekeeping of threads, a tenth of the time.
    void evaluate() { Vbench___024root___eval(tile.rootp); }

    // Sends requests and collects the answers; false if the port stops answering.
    bool host(const uint64_t* requests, int64_t count, uint32_t* answers, int64_t expected) {
        int64_t sent = 0, got = 0, idle = 0;
        offer(requests, sent, count);
        tile.eval();
        while (sent < count || got < expected) {
            const bool accepted = tile.request_valid && tile.request_ready;
            const bool answered = tile.response_valid;
            if (answered && got < expected) answers[got++] = tile.response_payload;
            idle = accepted || answered ? 0 : idle + 1;
            if (idle > PATIENCE) return false;
            rise();
            if (accepted) offer(requests, ++sent, count);
            fall();
        }
        return true;
    }

    void offer(const uint64_t* requests, int64_t next, int64_t count) {
        tile.request_valid = next < count;
        if (next < count) tile.request_payload = requests[next];
    }
};

}  // namespace

EXPORT Sim* tile_new() { return new Sim; }

EXPORT void tile_free(Sim* sim) { delete sim; }

EXPORT uint64_t tile_cycles(const Sim* sim) { return sim->cycles; }

EXPORT int tile_host(Sim* sim, const uint64_t* requests, int64_t count, uint32_t* answers,
                     int64_t expected) {
    return sim->host(requests, count, answers, expected) ? DONE : HOST_STUCK;
}

EXPORT int64_t tile_spike_count(const Sim* sim) { return int64_t(sim->spikes.size()); }

EXPORT void tile_spikes(const Sim* sim, int64_t* run, int64_t* step, int64_t* neuron,
                        int64_t* cycle) {
    for (const Spike& spike : sim->spikes) {
        *run++ = spike.run;
        *step++ = spike.step;
        *neuron++ = spike.neuron;
        *cycle++ = spike.cycle;
    }
}

#ifdef SITES
// For builds in which the registers and memories are public (fault sites).

void Vbench___024root___eval_settle(Vbench___024root* root);

// Storage of variable `name` in `scope`; its bytes per word, or 0 if there is none.
EXPORT int64_t tile_site(Sim* sim, const char* scope, const char* name, void** data) {
    const VerilatedScope* found = sim->context.scopeFind(scope);
    const VerilatedVar* variable = found ? found->varFind(name) : nullptr;
    if (!variable) return 0;
    *data = variable->datap();
    return int64_t(variable->entSize());
}

// Evaluates all logic without a clock edge, as after a change of storage from outside.
EXPORT void tile_settle(Sim* sim) { Vbench___024root___eval_settle(sim->tile.rootp); }
#endif
