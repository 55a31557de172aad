// SPDX-License-Identifier: Apache-2.0
// Drives one Verilated mesh: whole runs per call (docs/mesh.md, section 6).

#include "tile_sim.h"

#include <cstring>

// A word of a memory of the model: bits from `shift` on in `bytes` (at most 8) at `from`.
// Mirrored field by field in mesh_simulation.py, as is Job.
struct Place {
    const uint8_t* from;
    int64_t bytes, shift;
};

struct Job {
    int64_t runs, steps, rows;
    const int64_t* start;          // runs * steps * rows + 1
    const uint64_t* word;          // packets
    int64_t target_bits, value_bits;
    uint64_t clear, status, run;   // host requests; `run` has the number of steps
    const uint64_t* end_reads;     // host requests after each run
    int64_t end_read_count;
    int64_t step_limit;            // cycles from one barrier, or the start, to the next, or the end
    const Place* recorded;         // read after each step, without the host port
    int64_t recorded_count;
    int64_t* barrier;              // runs * steps
    int64_t* end;                  // runs
    uint32_t* end_values;          // runs * end_read_count
    uint64_t* recorded_words;      // runs * steps * recorded_count; bits above a word are any
    int (*progress)(int64_t steps_done);  // not 0: stop
    int64_t failed_run, failed_step;
};

namespace {

constexpr uint32_t HELD = 1;  // in STATUS
constexpr int TILE_SHIFT = 16;  // a spike's `neuron` holds the packet's target from this bit on

struct Runner {
    Sim& sim;
    Job& job;
    int64_t run_index;
    int64_t step = 0;        // whose events are on offer
    std::vector<int64_t> next, last;
    bool ended = false;      // END_OF_STEP of that step has been taken
    int64_t cycle = 0, since = 0, report = 0;

    // The events of `step`, none after the last.
    void open() {
        const int64_t first = (run_index * job.steps + step) * job.rows;
        for (int64_t row = 0; row < job.rows; row++) {
            next[row] = step < job.steps ? job.start[first + row] : 0;
            last[row] = step < job.steps ? job.start[first + row + 1] : 0;
        }
        ended = step == job.steps;
    }

    void offer() {
        auto& mesh = sim.tile;
        uint32_t valid = 0;
        for (int64_t row = 0; row < job.rows; row++) {
            if (next[row] == last[row]) continue;
            valid |= uint32_t(1) << row;
            const uint64_t word = job.word[next[row]];
            mesh.packets[2 * row] = uint32_t(word);
            mesh.packets[2 * row + 1] = uint32_t(word >> 32);
        }
        mesh.i_valid = valid;
        mesh.end_valid = !valid && !ended;
    }

    void spike(int64_t row) {
        auto& mesh = sim.tile;
        const uint64_t word = uint64_t(mesh.o_packets[2 * row + 1]) << 32 | mesh.o_packets[2 * row];
        const uint64_t target = word & ((uint64_t(1) << job.target_bits) - 1);
        const uint64_t value = word >> job.target_bits & ((uint64_t(1) << job.value_bits) - 1);
        sim.spikes.push_back({int32_t(run_index), int32_t(step - 1),
                              int32_t(target << TILE_SHIFT | value), cycle});
    }

    // States after the update of step `done`, which are there until the next barrier and in it.
    void record(int64_t done) {
        uint64_t* word = job.recorded_words
                         + (run_index * job.steps + done) * job.recorded_count;
        for (int64_t k = 0; k < job.recorded_count; k++) {
            const Place& place = job.recorded[k];
            uint64_t bits = 0;
            std::memcpy(&bits, place.from, size_t(place.bytes));
            *word++ = bits >> place.shift;
        }
    }

    Result all() {
        auto& mesh = sim.tile;
        uint32_t answer = 0;
        if (!sim.host(&job.clear, 1, nullptr, 0)) return HOST_STUCK;
        const uint64_t asked = sim.cycles;
        do {
            if (sim.cycles - asked > PATIENCE) return HOST_STUCK;
            if (!sim.host(&job.status, 1, &answer, 1)) return HOST_STUCK;
        } while (!(answer & HELD));
        if (!sim.host(&job.run, 1, nullptr, 0)) return HOST_STUCK;
        for (int64_t waited = 0; mesh.held; waited++) {
            if (waited > PATIENCE) return PROTOCOL;
            sim.rise();
            sim.fall();
        }
        open();
        offer();
        sim.fall();
        while (!mesh.held) {
            // At most one END_OF_STEP is on its way, so that it is taken at once.
            if (mesh.end_valid && !mesh.end_ready) return PROTOCOL;
            const bool fires = mesh.barrier, taken_end = mesh.end_valid;
            const uint32_t taken = mesh.i_valid & mesh.i_ready, left = mesh.o_valid;
            for (int64_t row = 0; row < job.rows; row++)
                if (left >> row & 1) spike(row);
            if (fires) {
                if (step == job.steps || !ended) return PROTOCOL;
                if (step) record(step - 1);
                job.barrier[run_index * job.steps + step] = cycle;
                step++;
                since = 0;
                open();
            }
            for (int64_t row = 0; row < job.rows; row++) next[row] += taken >> row & 1;
            ended |= taken_end;
            sim.rise();
            if (fires || taken || taken_end) offer();
            sim.fall();
            cycle++;
            if (++since > job.step_limit) {
                job.failed_step = step;
                return TIMED_OUT;
            }
            if (++report >= REPORT_CYCLES) {
                report = 0;
                if (job.progress(run_index * job.steps + step)) return STOPPED;
            }
        }
        if (step != job.steps) return PROTOCOL;
        record(step - 1);
        job.end[run_index] = cycle;
        uint32_t* values = job.end_values + run_index * job.end_read_count;
        return sim.host(job.end_reads, job.end_read_count, values, job.end_read_count)
                   ? DONE : HOST_STUCK;
    }
};

}  // namespace

EXPORT int mesh_run(Sim* sim, Job* job) {
    int64_t report = 0;
    sim->spikes.clear();
    for (int64_t run = 0; run < job->runs; run++) {
        Runner runner{*sim, *job, run};
        runner.next.resize(job->rows);
        runner.last.resize(job->rows);
        runner.report = report;
        const Result result = runner.all();
        if (result != DONE) {
            sim->tile.i_valid = sim->tile.end_valid = 0;  // what was on offer is withdrawn
            job->failed_run = run;
            return result;
        }
        report = runner.report;
    }
    return DONE;
}
