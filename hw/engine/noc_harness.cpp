// SPDX-License-Identifier: Apache-2.0
// Drives one Verilated network with its barrier; stubs in place of tiles: spec/noc_traffic.py.

#include "Vbench.h"
#include "verilated.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

double sc_time_stamp() { return 0; }

// Mirrored field by field in noc_simulation.py.
struct Job {
    int64_t tiles, rows, cols;
    const int64_t *start, *step, *wait;
    const uint64_t* word;
    int64_t steps, work, stall, limit;
    int64_t tree_count;           // per tile; 0 without multicast
    const uint32_t* trees;        // tiles * tree_count
    int64_t capacity;             // of the arrays of what left
    int64_t* taken;
    int64_t *cycle, *port;
    uint64_t* out_word;
    int64_t* barrier;
    int64_t* sent;                // tiles * 4
    int64_t left, lost, cycles;
};

namespace {

template <class Wide> bool bit(const Wide& wide, int64_t index) {
    return wide[index >> 5] >> (index & 31) & 1;
}

template <class Wide> void set(Wide& wide, int64_t index, bool value) {
    const uint32_t mask = uint32_t(1) << (index & 31);
    wide[index >> 5] = value ? wide[index >> 5] | mask : wide[index >> 5] & ~mask;
}

void load_trees(Vbench& bench, const Job& job) {
    for (int64_t tile = 0; tile < job.tiles; tile++) {
        for (int64_t tree = 0; tree < job.tree_count; tree++) {
            bench.tree_write = 1;
            bench.tree_tile = tile;
            bench.tree_index = tree;
            bench.tree_data = job.trees[tile * job.tree_count + tree];
            bench.clk = 0;
            bench.eval();
            bench.clk = 1;
            bench.eval();
        }
    }
    bench.tree_write = 0;
}

}  // namespace

// 0: done; 1: more packets leave than there is room for.
EXPORT int noc_run(Job* job_pointer) {
    Job& job = *job_pointer;
    VerilatedContext context;
    Vbench bench{&context, ""};
    const int64_t sources = job.tiles + job.rows;
    for (int clk = 0; clk < 2; clk++) {  // the cycle of reset
        bench.clk = clk;
        bench.eval();
    }
    load_trees(bench, job);
    std::vector<int64_t> next(job.start, job.start + sources), busy_until(job.tiles, -1);
    int64_t now = 0, began = 0, last_host = -1;
    bool ended = false;
    job.left = 0;
    for (job.cycles = 0; job.cycles < job.limit; job.cycles++) {
        const int64_t cycle = job.cycles;
        bool hosts_done = true, all_taken = true;
        for (int64_t source = 0; source < sources; source++) {
            const int64_t index = next[source];
            const bool more = index < job.start[source + 1], open = more && job.step[index] <= now;
            const bool offer = open && (job.step[index] < now || began + job.wait[index] <= cycle);
            all_taken &= !more;
            set(bench.i_valid, source, offer);
            if (offer) {
                bench.i_payload[2 * source] = uint32_t(job.word[index]);
                bench.i_payload[2 * source + 1] = uint32_t(job.word[index] >> 32);
            }
            if (source < job.tiles)
                set(bench.idle, source, !open && busy_until[source] < cycle);
            else if (open)
                hosts_done = false;
        }
        for (int64_t row = 0; row < job.rows; row++)
            set(bench.o_ready, row, ((cycle + 3 * row) & 7) >= job.stall);
        bench.end_valid = job.steps && !ended && hosts_done && last_host < cycle;
        bench.clk = 0;
        bench.eval();
        if (!job.steps && all_taken && bench.empty) break;
        for (int64_t source = 0; source < sources; source++) {
            if (bit(bench.i_valid, source) && bit(bench.i_ready, source)) {
                job.taken[next[source]++] = cycle;
                if (source >= job.tiles) last_host = cycle;
            }
            const bool host = source >= job.tiles;
            if (bit(bench.o_valid, source)
                && (!host || bit(bench.o_ready, source - job.tiles))) {
                if (job.left == job.capacity) return 1;
                job.cycle[job.left] = cycle;
                job.port[job.left] = source;
                job.out_word[job.left++] = uint64_t(bench.o_payload[2 * source + 1]) << 32
                                           | bench.o_payload[2 * source];
                if (!host && job.work)
                    busy_until[source] = std::max(busy_until[source], cycle) + job.work;
            }
        }
        for (int64_t link = 0; link < 4 * job.tiles; link++) job.sent[link] += bit(bench.sent, link);
        if (bench.end_valid && bench.end_ready) ended = true;
        const bool fire = bench.fire;
        job.lost = bench.lost;
        bench.clk = 1;
        bench.eval();
        if (fire) {
            if (now == job.steps) return 2;
            job.barrier[now++] = cycle;
            began = cycle + 1;
            ended = false;
            if (now == job.steps) {
                job.cycles++;
                break;
            }
        }
    }
    bench.clk = 0;
    bench.eval();
    job.lost = bench.lost;
    bench.final();
    return 0;
}
