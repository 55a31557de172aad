// SPDX-License-Identifier: Apache-2.0
// The tile as harness.cpp or event_harness.cpp drives it: reset by itself, outputs always accepted.
// TILE_FLAG is its last output: barrier, or in event mode idle.
//
// Were rst and the two `ready` inputs of the simulated top, Verilator would evaluate all logic that
// depends on them, which is most of it, at every change of the clock.

module bench #(parameter INPUT_BITS = 1, parameter OUTPUT_BITS = 1) (
  input clk,
  input [INPUT_BITS-1:0] i_payload,
  input i_valid,
  output i_ready,
  output [OUTPUT_BITS-1:0] o_payload,
  output o_valid,
  input [60:0] request_payload,
  input request_valid,
  output request_ready,
  output [31:0] response_payload,
  output response_valid,
  output flag
);
  reg rst = 1;
  always @(posedge clk) rst <= 0;

  tile tile (
    .clk(clk), .rst(rst),
    .i__payload(i_payload), .i__valid(i_valid), .i__ready(i_ready),
    .o__payload(o_payload), .o__valid(o_valid), .o__ready(1'b1),
    .request__payload(request_payload), .request__valid(request_valid),
    .request__ready(request_ready),
    .response__payload(response_payload), .response__valid(response_valid),
    .response__ready(1'b1),
    .`TILE_FLAG (flag)
  );
endmodule
