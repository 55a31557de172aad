// SPDX-License-Identifier: Apache-2.0
// Self-checking testbench of the tile, in plain Verilog-2001: prints PASS or FAIL and stops.
//
// The verdict is the line that begins with PASS or FAIL: Verilog-2001 knows no exit status. In Icarus
// and in Verilator FAIL also makes the exit status non-zero; elsewhere look for the line.
//
// Run it in this folder with any simulator, for example
//   with Icarus: iverilog -o tile_tb tile_tb.v tile.v && ./tile_tb
//   with Verilator: verilator --binary --timing -Wno-fatal --top-module tile_tb tile_tb.v tile.v &&
//       obj_dir/Vtile_tb
// With the macro WAVES it writes tile_tb.vcd.
//
// vectors/script.hex says what to do: load memories through the host port, write and read registers
// and words, run steps. During a run the events of vectors/input.hex are sent, those of a step one
// per cycle from the first cycle after the barrier of the step before. Every output event is compared
// with vectors/output.hex and every barrier with vectors/barrier.hex, word and cycle.

`timescale 1ns / 1ps

module tile_tb;
  localparam INPUT_BITS = $input_bits, OUTPUT_BITS = $output_bits;
  localparam SCRIPT = $script, INPUTS = $inputs, OUTPUTS = $outputs, BARRIERS = $barriers;
  localparam TIME_OUT = $time_out;  // cycles without any transfer or barrier

  // Operations: bits 96..93 of a script word; request in 92..32, data or expected answer in 31..0.
  localparam WRITE = 0, READ = 1, POLL = 2, RUN = 3, LOAD = 4, STOP = 5;

  reg [96:0] script [0:SCRIPT-1];
  reg [INPUT_BITS-1:0] inputs [0:INPUTS];
  reg [63:0] outputs [0:OUTPUTS];  // cycle in 63..20 (all ones: any), word in 19..0
  reg [43:0] barriers [0:BARRIERS];
$image_declarations
  reg clk = 0, rst = 1;
  always #5 clk = ~clk;

  reg i_valid = 0, request_valid = 0;
  reg [INPUT_BITS-1:0] i_payload = 0;
  reg [60:0] request_payload = 0;
  wire i_ready, o_valid, request_ready, response_valid, tile_$port;
  wire [OUTPUT_BITS-1:0] o_payload;
  wire [31:0] response_payload;

  tile tile (
    .clk(clk), .rst(rst),
    .i__payload(i_payload), .i__valid(i_valid), .i__ready(i_ready),
    .o__payload(o_payload), .o__valid(o_valid), .o__ready(1'b1),
    .request__payload(request_payload), .request__valid(request_valid),
    .request__ready(request_ready),
    .response__payload(response_payload), .response__valid(response_valid),
    .response__ready(1'b1),
    .$port(tile_$port)
  );
  wire barrier = $barrier;

  localparam FETCH = 0, SEND = 1, ANSWER = 2, START = 3, RUNNING = 4, DONE = 5;
  reg [2:0] state = FETCH;
  integer pc = 0, index = 0, silence = 0, errors = 0;
  integer next_input = 0, next_output = 0, next_barrier = 0;
  integer steps = 0, ended = 0, sent = 0;
  reg [43:0] cycle = 0;

  wire [96:0] entry = script[pc];
  wire [3:0] operation = entry[96:93];
  wire [31:0] value = entry[31:0];
  wire [3:0] memory = entry[91:88];
  wire running = state == RUNNING || (state == START && i_ready);
  wire [43:0] now = state == START ? 44'd0 : cycle;
  wire [INPUT_BITS-1:0] next_word = inputs[next_input];
  wire [63:0] expected = outputs[next_output];

  // Word number n of the memory's image.
  function [31:0] image_word(input [3:0] id, input integer n);
    case (id)
$image_cases
      default: image_word = 0;
    endcase
  endfunction

  task fail;
    begin
      errors = errors + 1;
      if (errors == 10) $$display("further errors are not shown");
    end
  endtask

  // A macro that the simulator defines itself tells which one it is.
  task stop_failed;
    begin
`ifdef __ICARUS__
      $$finish_and_return(1);
`else
`ifdef VERILATOR
      $$stop;
`endif
      $$finish;
`endif
    end
  endtask

  initial begin
    $$readmemh("vectors/script.hex", script);
    $$readmemh("vectors/input.hex", inputs);
    $$readmemh("vectors/output.hex", outputs);
    $$readmemh("vectors/barrier.hex", barriers);
$image_loads
`ifdef WAVES
    $$dumpfile("tile_tb.vcd");
    $$dumpvars(0, tile_tb);
`endif
  end

  // All outputs are sampled at the rising edge that ends their cycle; all inputs change after it.
  always @(posedge clk) begin
    rst <= 0;
    silence <= request_valid & request_ready | response_valid | i_valid & i_ready | o_valid
               | barrier ? 0 : silence + 1;
    if (silence == TIME_OUT) begin
      $$display("FAIL: nothing happens any more at script entry %0d", pc);
      stop_failed;
    end

    case (state)
      FETCH:
        if (!rst) begin
          index <= 0;
          request_valid <= operation != STOP;
          request_payload <= operation == LOAD ? {entry[92:64], image_word(memory, 0)}
                                               : entry[92:32];
          state <= operation == STOP ? DONE : SEND;
        end
      SEND:
        if (request_ready) begin
          if (operation == LOAD && index + 1 != value) begin
            index <= index + 1;
            request_payload[31:0] <= image_word(memory, index + 1);
            request_payload[55:32] <= index + 1;
          end else begin
            request_valid <= 0;
            if (operation == READ || operation == POLL) state <= ANSWER;
            else if (operation == RUN) begin
              steps <= value;
              ended <= 0;
              sent <= 0;
              i_valid <= 1;
              i_payload <= next_word;
              next_input <= next_input + 1;
              state <= START;
            end else begin
              pc <= pc + 1;
              state <= FETCH;
            end
          end
        end
      ANSWER:
        if (response_valid) begin
          if (operation == POLL && response_payload[1:0] !== 2'd0) begin
            request_valid <= 1;
            state <= SEND;
          end else begin
            if (operation == READ && response_payload !== value) begin
              if (errors < 10)
                $$display("error: memory %0d, index %0d holds %h, expected %h", memory,
                         entry[87:64], response_payload, value);
              fail;
            end
            pc <= pc + 1;
            state <= FETCH;
          end
        end
      START:
        if (i_ready) state <= RUNNING;
      DONE: begin
        if (next_output != OUTPUTS || next_barrier != BARRIERS) begin
          $$display("error: %0d of %0d output events and %0d of %0d barriers were seen",
                   next_output, OUTPUTS, next_barrier, BARRIERS);
          fail;
        end
        if (errors == 0) begin
          $$display("PASS: %0d output events and %0d barriers as expected", OUTPUTS, BARRIERS);
          $$finish;
        end else begin
          $$display("FAIL: %0d errors", errors);
          stop_failed;
        end
      end
    endcase

    if (running) begin
      cycle <= now + 1;
      if (i_valid && i_ready) begin
        if (i_payload[INPUT_BITS-1]) i_valid <= 0;  // END_OF_STEP: the next step waits
        else begin
          i_payload <= next_word;
          next_input <= next_input + 1;
        end
      end
      if (barrier) begin
        if (next_barrier == BARRIERS || barriers[next_barrier] !== now) begin
          if (errors < 10)
            $$display("error: barrier %0d in cycle %0d, expected in %0d", next_barrier, now,
                     barriers[next_barrier]);
          fail;
        end
        if (next_barrier != BARRIERS) next_barrier <= next_barrier + 1;
        sent <= sent + 1;
        if (sent + 1 != steps) begin
          i_valid <= 1;
          i_payload <= next_word;
          next_input <= next_input + 1;
        end
      end
    end

    if (o_valid) begin
      if (!running || next_output == OUTPUTS || expected[19:0] !== {{20-OUTPUT_BITS{1'b0}}, o_payload}
          || (expected[63:20] != 44'hfffffffffff && expected[63:20] !== now)) begin
        if (errors < 10)
          $$display("error: output %0d is %h in cycle %0d, expected %h in %0d", next_output,
                   o_payload, now, expected[19:0], expected[63:20]);
        fail;
      end
      if (next_output != OUTPUTS) next_output <= next_output + 1;
      if (o_payload[OUTPUT_BITS-1]) begin
        ended <= ended + 1;
        if (ended + 1 == steps) begin
          pc <= pc + 1;
          state <= FETCH;
        end
      end
    end
  end
endmodule
