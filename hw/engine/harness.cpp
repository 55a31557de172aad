// SPDX-License-Identifier: Apache-2.0
// Drives one Verilated tile: whole runs per call.

#include "tile_sim.h"

// Mirrored field by field in simulation.py.
struct Job {
    int64_t runs, steps;
    const int64_t* start;         // runs * steps + 1
    const int32_t* axon;          // input words of the events
    uint64_t end_of_step;         // input word
    uint64_t output_end_of_step;  // bit mask in an output word
    uint64_t clear, status, run;  // host requests; `run` takes the number of steps as its data
    uint64_t status_phase;        // bit mask; 0 there is HOLD
    const uint64_t* step_reads;   // host requests after each step; none: the tile never pauses
    int64_t step_read_count;
    const int64_t* log_steps;     // ascending, run * steps + step: after these the tile pauses too
    int64_t log_count;
    const uint64_t* log_reads;    // host requests then
    int64_t log_read_count;
    const uint64_t* end_reads;    // host requests after each run
    int64_t end_read_count;
    int64_t step_limit;           // cycles from one barrier, or the start, to the next
    int64_t* barrier;             // runs * steps
    uint32_t* step_values;        // runs * steps * step_read_count
    uint32_t* log_values;         // log_count * log_read_count
    uint32_t* end_values;         // runs * end_read_count
    int (*progress)(int64_t steps_done);  // not 0: stop
    int64_t failed_run, failed_step;
};

namespace {

// One run as seen at the streams, in harness time: cycle 0 is the first of INTEGRATE of step 0, and
// the cycles from the end of a step to the next INTEGRATE do not count when the tile is paused.
struct Runner {
    Sim& sim;
    Job& job;
    int64_t run_index;
    int64_t next = 0;     // index into job.axon of the event on offer
    int64_t offered = 0;  // step whose events are on offer
    bool ended = false;   // END_OF_STEP of that step has been taken
    int64_t cycle = 0;
    int64_t since = 0;    // cycles since the last barrier
    int64_t report = 0;
    int64_t latency = -1;  // cycles from the acceptance of RUN to the first of INTEGRATE
    int64_t logged = 0;    // entries of job.log_steps that are done

    const int64_t* start() const { return job.start + run_index * job.steps; }

    void offer() {
        auto& tile = sim.tile;
        tile.i_valid = !ended && offered < job.steps;
        if (tile.i_valid) {
            const bool end = next == start()[offered + 1];
            tile.i_payload = end ? job.end_of_step : uint32_t(job.axon[next]);
        }
    }

    void take() {
        if (next == start()[offered + 1]) ended = true;
        else next++;
    }

    // Writes RUN and stops in the first cycle of INTEGRATE. The queue is empty at the start of a
    // run, so `ready` shows that cycle; later the queue may be full, so the latency tells.
    Result begin(int64_t steps, bool first) {
        auto& tile = sim.tile;
        const uint64_t request = job.run + uint64_t(steps);
        if (!sim.host(&request, 1, nullptr, 0)) return HOST_STUCK;
        int64_t waited = 1;  // host() returns in the cycle after the acceptance
        while (first ? !tile.i_ready : waited < latency) {
            if (waited > PATIENCE || (!first && tile.i_ready)) return PROTOCOL;
            sim.rise();
            sim.fall();
            waited++;
        }
        latency = waited;
        return DONE;
    }

    // Runs until END_OF_STEP has left `steps` times, the first of them for step `step`.
    Result go(int64_t step, int64_t steps) {
        auto& tile = sim.tile;
        const int64_t last = step + steps;
        int64_t* barrier = job.barrier + run_index * job.steps;
        bool fired = false;
        while (step < last) {
            const bool taken = tile.i_valid && tile.i_ready;
            const bool fires = tile.flag;
            if (fires) {
                if (fired) return PROTOCOL;
                fired = true;
                barrier[step] = cycle;
            }
            if (tile.o_valid) {
                const uint64_t word = tile.o_payload;
                if (!fired) return PROTOCOL;
                if (word & job.output_end_of_step) {
                    if (word != job.output_end_of_step) return PROTOCOL;
                    fired = false;
                    step++;
                } else {
                    sim.spikes.push_back({int32_t(run_index), int32_t(step), int32_t(word), cycle});
                }
            }
            sim.rise();
            if (taken) take();
            if (fires) {
                if (!ended) return PROTOCOL;
                offered++;
                ended = false;
                since = 0;
            }
            if (taken || fires) offer();
            sim.fall();
            cycle++;
            if (++since > job.step_limit) {
                job.failed_run = run_index;
                job.failed_step = step;
                return TIMED_OUT;
            }
            if (++report >= REPORT_CYCLES) {
                report = 0;
                if (job.progress(run_index * job.steps + step)) return STOPPED;
            }
        }
        return DONE;
    }

    Result all() {
        uint32_t answer = 0;
        if (!sim.host(&job.clear, 1, nullptr, 0)) return HOST_STUCK;
        const uint64_t asked = sim.cycles;
        do {
            if (sim.cycles - asked > PATIENCE) return HOST_STUCK;
            if (!sim.host(&job.status, 1, &answer, 1)) return HOST_STUCK;
        } while (answer & job.status_phase);
        next = start()[0];
        offer();
        sim.tile.eval();
        const bool pause = job.step_read_count > 0;
        const int64_t first = run_index * job.steps;
        while (logged < job.log_count && job.log_steps[logged] < first) logged++;
        int64_t stride;
        for (int64_t step = 0; step < job.steps; step += stride) {
            const bool logs = logged < job.log_count && job.log_steps[logged] < first + job.steps;
            stride = pause ? 1 : (logs ? job.log_steps[logged] + 1 - first : job.steps) - step;
            Result result = begin(stride, step == 0);
            if (result == DONE) result = go(step, stride);
            if (result != DONE) return result;
            if (pause) {
                uint32_t* values = job.step_values
                    + (run_index * job.steps + step) * job.step_read_count;
                if (!sim.host(job.step_reads, job.step_read_count, values, job.step_read_count))
                    return HOST_STUCK;
            }
            if (logs && job.log_steps[logged] == first + step + stride - 1) {
                uint32_t* values = job.log_values + logged * job.log_read_count;
                if (!sim.host(job.log_reads, job.log_read_count, values, job.log_read_count))
                    return HOST_STUCK;
                logged++;
            }
        }
        uint32_t* values = job.end_values + run_index * job.end_read_count;
        if (!sim.host(job.end_reads, job.end_read_count, values, job.end_read_count))
            return HOST_STUCK;
        return DONE;
    }
};

}  // namespace

EXPORT int tile_run(Sim* sim, Job* job) {
    int64_t report = 0;
    sim->spikes.clear();
    for (int64_t run = 0; run < job->runs; run++) {
        Runner runner{*sim, *job, run};
        runner.report = report;
        const Result result = runner.all();
        if (result != DONE) {
            job->failed_run = run;
            return result;
        }
        report = runner.report;
    }
    return DONE;
}
