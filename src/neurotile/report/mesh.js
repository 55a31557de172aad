// SPDX-License-Identifier: Apache-2.0
// The drawing of a mesh tells in words what one points at; the time line of its tiles.
"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const numbers = at("numbers");
  if (!numbers) return;
  const first = numbers.textContent;
  const tell = (event) => {
    const shape = event.target.closest(".point");
    numbers.textContent = shape ? shape.querySelector("title").textContent : first;
    numbers.classList.toggle("told", Boolean(shape));
  };
  for (const drawing of document.querySelectorAll("svg.mesh")) {
    drawing.addEventListener("mouseover", tell);
    drawing.addEventListener("focusin", tell);
    drawing.addEventListener("mouseleave", tell);
  }
  if (at("mesh-data")) times(JSON.parse(at("mesh-data").textContent));
  document.body.dataset.mesh = "ready";

  function times(data) {
    const LEFT = 54, RIGHT = 10, TOP = 4, BOTTOM = 24;
    const PARTS = [["updates and sends", "#7458bd"], ["integrates", "#2f6db5"],
      ["waits for the barrier", "#cfd6df"]];
    const row = Math.max(3, Math.min(16, 420 / data.tiles));
    const high = TOP + BOTTOM + row * data.tiles;
    let run = 0, step = -1;  // -1: all steps

    const unpack = (text) => new Float64Array(
      Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
    const runs = data.runs.map((r) => ({ name: r.name, barrier: unpack(r.barrier),
      idle: unpack(r.idle), updated: unpack(r.updated) }));

    // First cycle of the update, of the integration, of the wait, and of the next step.
    function parts(s, tile) {
      const held = runs[run], k = (t) => t * data.tiles + tile;
      const begin = s ? held.barrier[s - 1] + 1 : 0;
      return [begin, s ? held.updated[k(s - 1)] + 1 : 0, held.idle[k(s)], held.barrier[s] + 1];
    }

    const span = () => (step < 0 ? [0, runs[run].barrier[data.steps - 1] + 1] :
      [parts(step, 0)[0], parts(step, 0)[3]]);

    function scale(width) {
      const [from, to] = span(), wide = width - LEFT - RIGHT;
      return { x: (c) => LEFT + wide * (c - from) / (to - from),
        cycle: (x) => from + (x - LEFT) / wide * (to - from) };
    }

    function draw() {
      const canvas = at("mesh-times"), ratio = window.devicePixelRatio || 1;
      const width = canvas.parentElement.clientWidth;
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(high * ratio);
      canvas.style.height = high + "px";
      const pen = canvas.getContext("2d"), { x } = scale(width), [from, to] = span();
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.clearRect(0, 0, width, high);
      const steps = step < 0 ? [...Array(data.steps).keys()] : [step];
      let drawn = 0;
      for (const s of steps) {
        for (let tile = 0; tile < data.tiles; tile++) {
          const edge = parts(s, tile);
          for (let p = 0; p < 3; p++) {
            if (edge[p + 1] <= edge[p]) continue;
            pen.fillStyle = PARTS[p][1];
            pen.fillRect(x(edge[p]), TOP + tile * row, x(edge[p + 1]) - x(edge[p]),
              row > 6 ? row - 1.5 : row - 0.5);
            drawn++;
          }
        }
        if (steps.length <= 120) {
          pen.fillStyle = "#1b2430";
          pen.fillRect(x(runs[run].barrier[s] + 1) - 0.5, TOP, 1, row * data.tiles);
        }
      }
      pen.fillStyle = "#6b7787";
      pen.font = "11px system-ui, sans-serif";
      pen.textAlign = "right";
      const every = Math.max(1, Math.ceil(13 / row));
      for (let tile = 0; tile < data.tiles; tile += every) {
        pen.fillText("tile " + tile, LEFT - 6, TOP + (tile + 0.5) * row + 4);
      }
      const goal = (to - from) / 8, base = 10 ** Math.floor(Math.log10(Math.max(goal, 1)));
      const tick = [1, 2, 5, 10].map((k) => k * base).find((k) => k >= goal) || 10 * base;
      for (let c = Math.ceil(from / tick) * tick; c < to; c += tick) {
        const end = x(c) > width - 60;
        pen.textAlign = end ? "right" : c === from ? "left" : "center";
        pen.fillText(c.toLocaleString("en") + (end || c + tick >= to ? " cycles" : ""), x(c),
          high - 8);
      }
      canvas.dataset.drawn = drawn;
      at("mesh-hint").textContent = step < 0 ? "" : tellStep(step);
    }

    function tellStep(s) {
      let last = 0;
      for (let tile = 1; tile < data.tiles; tile++) {
        if (parts(s, tile)[2] > parts(s, last)[2]) last = tile;
      }
      const edge = parts(s, last);
      return `step ${s}: ${edge[3] - edge[0]} cycles; tile ${last} is last to be idle`;
    }

    function find(event) {
      const box = at("mesh-times").getBoundingClientRect();
      const cycle = scale(box.width).cycle(event.clientX - box.left), [from, to] = span();
      const tile = Math.floor((event.clientY - box.top - TOP) / row);
      if (cycle < from || cycle >= to || tile < 0 || tile >= data.tiles) return null;
      let s = 0;
      while (s < data.steps - 1 && runs[run].barrier[s] < cycle) s++;
      return [s, tile];
    }

    at("mesh-times").onmousemove = (event) => {
      const found = find(event);
      if (!found) return;
      const edge = parts(...found);
      const took = PARTS.map(([does], p) => `${does} for ${edge[p + 1] - edge[p]}`).join(", ");
      at("mesh-hint").textContent = `tile ${found[1]}, step ${found[0]}: ${took} cycles`;
    };
    at("mesh-times").onclick = (event) => {
      const found = find(event);
      if (!found) return;
      step = step < 0 ? found[0] : -1;
      at("mesh-step").value = step;
      draw();
    };

    const option = (text, value) => {
      const made = document.createElement("option");
      made.textContent = text;
      made.value = value;
      return made;
    };
    at("mesh-run").replaceChildren(...runs.map((r, k) => option(r.name, k)));
    at("mesh-step").replaceChildren(option(`all ${data.steps} steps`, -1),
      ...[...Array(data.steps).keys()].map((s) => option("step " + s, s)));
    at("mesh-run").onchange = (event) => { run = Number(event.target.value); draw(); };
    at("mesh-step").onchange = (event) => { step = Number(event.target.value); draw(); };
    at("mesh-key").replaceChildren(...PARTS.flatMap(([does, shade]) => {
      const dot = document.createElement("i");
      dot.className = "dot";
      dot.style.background = shade;
      return [dot, does + " "];
    }));
    window.addEventListener("resize", draw);
    draw();
  }
})();
