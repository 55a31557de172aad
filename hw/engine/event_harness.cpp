// SPDX-License-Identifier: Apache-2.0
// Drives one Verilated tile in event mode: a list of events per call.

#include "tile_sim.h"

#include <cstring>

// One memory of the model, read without the host port, and where its words are put.
// Mirrored field by field in event_simulation.py, as is EventJob.
struct Image {
    const char* scope;
    const char* name;
    int64_t rows, lanes, width;
    uint64_t* words;  // rows * lanes
};

struct EventJob {
    int64_t count;
    const uint64_t* words;  // input words
    int64_t wait;           // present an event when the tile is idle, else as soon as it is taken
    uint64_t run, stop;     // host requests that write RUN
    int64_t limit;          // cycles after an acceptance without another or `idle`
    Image* images;
    int64_t image_count;
    int64_t* accepted;  // cycles, `count` of them
    int64_t end;        // first cycle after the last of them in which the tile is idle
    int (*progress)(int64_t events_done);  // not 0: stop
    int (*observe)(int64_t event);  // null: nobody; not 0: stop; called with the images filled
    int64_t failed_event;
};

namespace {

bool fill(Sim& sim, const Image& image) {
    const VerilatedScope* scope = sim.context.scopeFind(image.scope);
    const VerilatedVar* variable = scope ? scope->varFind(image.name) : nullptr;
    if (!variable) return false;
    const auto* row = static_cast<const uint8_t*>(variable->datap());
    const int64_t bytes = int64_t(variable->entSize());
    const uint64_t mask = (uint64_t(1) << image.width) - 1;
    uint64_t* word = image.words;
    const uint8_t* end = row + image.rows * bytes;
    for (int64_t number = 0; number < image.rows; number++, row += bytes) {
        for (int64_t lane = 0; lane < image.lanes; lane++) {
            const int64_t bit = lane * image.width;
            uint64_t bits = 0;
            const uint8_t* from = row + bit / 8;
            // Bits of the next row do no harm, and a fixed size makes the copy one instruction.
            if (end - from >= 8) std::memcpy(&bits, from, 8);
            else std::memcpy(&bits, from, size_t(end - from));
            *word++ = bits >> bit % 8 & mask;
        }
    }
    return true;
}

Result process(Sim& sim, EventJob& job) {
    auto& tile = sim.tile;
    const auto& idle = tile.flag;
    sim.spikes.clear();
    if (!sim.host(&job.run, 1, nullptr, 0)) return HOST_STUCK;
    for (int64_t waited = 0; !idle; waited++) {
        if (waited > PATIENCE) return PROTOCOL;
        sim.rise();
        sim.fall();
    }
    // The scheduler is empty, so `idle` shows the first cycle of FREE.
    int64_t next = 0, cycle = 0, since = 0, report = 0;
    bool observed = true;  // the event before `next`
    Result result = DONE;
    while (true) {
        // The inputs of this cycle; the outputs that they do not change are settled.
        if (idle && !observed) {
            observed = true;
            for (int64_t k = 0; k < job.image_count; k++)
                if (!fill(sim, job.images[k])) return PROTOCOL;
            if (job.observe(next - 1)) result = STOPPED;
        }
        if (++report >= REPORT_CYCLES) {
            report = 0;
            if (job.progress(next)) result = STOPPED;
        }
        if (result != DONE || (idle && next == job.count)) break;
        tile.i_valid = next < job.count && (!job.wait || idle || tile.i_valid);
        if (tile.i_valid) tile.i_payload = job.words[next];
        sim.fall();
        const bool taken = tile.i_valid && tile.i_ready;
        if (tile.o_valid) {
            if (!next) return PROTOCOL;
            sim.spikes.push_back({0, int32_t(next - 1), int32_t(tile.o_payload), cycle});
        }
        if (taken) {
            job.accepted[next++] = cycle;
            since = 0;
            observed = !job.observe;
        } else if (++since > job.limit) {
            job.failed_event = next - 1;
            result = TIMED_OUT;
        }
        sim.rise();
        if (taken) tile.i_valid = 0;
        cycle++;
    }
    job.end = cycle;
    tile.i_valid = 0;
    sim.fall();
    return sim.host(&job.stop, 1, nullptr, 0) ? result : HOST_STUCK;
}

}  // namespace

EXPORT int tile_process(Sim* sim, EventJob* job) { return process(*sim, *job); }

EXPORT int tile_image(Sim* sim, const Image* image) { return fill(*sim, *image) ? DONE : PROTOCOL; }
