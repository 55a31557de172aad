// SPDX-License-Identifier: Apache-2.0
// Draws what one looks into: spikes and answer of a sample, potentials of neurons.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const LEFT = 92, RIGHT = 12, BOTTOM = 26, GAP = 10;
  const SHADES = ["#2f6db5", "#d07a1f", "#2f9267", "#b0446c", "#7458bd", "#8b7a2e", "#1f93a3",
    "#a0522d", "#4a5260", "#c2577c", "#c9a227", "#8d6bb8"];
  const chosen = { sample: 0, node: 0, neurons: data.traced.map((n) => new Set(n.first)) };
  let rows = [];  // bands of the raster, from top to bottom

  function unpack(text, type) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return new type(bytes.buffer);
  }

  const cache = new Map();
  function spikes(node, sample) {
    const key = node + "/" + sample;
    if (!cache.has(key)) {
      const [step, neuron] = data.nodes[node].spikes[sample];
      cache.set(key, [unpack(step, Uint16Array), unpack(neuron, Uint32Array)]);
    }
    return cache.get(key);
  }

  function element(name, text, attributes) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
    return made;
  }

  function fit(canvas, height) {
    const scale = window.devicePixelRatio || 1, width = canvas.parentElement.clientWidth;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.height = height + "px";
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    return [pen, width];
  }

  function ticks(count, room) {
    const goal = Math.max(1, count / room);
    const base = 10 ** Math.floor(Math.log10(goal));
    return Math.max(1, [1, 2, 5, 10].map((k) => k * base).find((k) => k >= goal) || 10 * base);
  }

  function bands() {
    const total = 400, sizes = data.nodes.map((n) => n.size);
    const sum = sizes.reduce((a, b) => a + b, 0);
    let y = 4;
    return data.nodes.map((node, k) => {
      const high = Math.min(Math.max(44, total * sizes[k] / sum), sizes[k] * 12 + 8);
      const band = { node: k, top: y, high, row: high / node.size };
      y += high + GAP;
      return band;
    });
  }

  function drawRaster() {
    rows = bands();
    const bottom = rows[rows.length - 1].top + rows[rows.length - 1].high;
    const [pen, width] = fit(at("raster"), bottom + BOTTOM);
    const column = (width - LEFT - RIGHT) / data.steps;
    let drawn = 0;
    pen.font = "12px system-ui, sans-serif";
    for (const band of rows) {
      const node = data.nodes[band.node];
      pen.fillStyle = "#f6f8fa";
      pen.fillRect(LEFT, band.top, width - LEFT - RIGHT, band.high);
      pen.fillStyle = node.colour;
      pen.textAlign = "right";
      pen.textBaseline = "middle";
      pen.fillText(node.name, LEFT - 10, band.top + band.high / 2 - 7, LEFT - 14);
      pen.fillStyle = "#8a94a3";
      pen.fillText(node.size.toLocaleString("en"), LEFT - 10, band.top + band.high / 2 + 8);
      pen.fillStyle = node.colour;
      const [step, neuron] = spikes(band.node, chosen.sample);
      const wide = Math.max(1.2, Math.min(column - 1, 7)), high = Math.max(1, band.row - 0.6);
      for (let k = 0; k < step.length; k++) {
        pen.fillRect(LEFT + (step[k] + 0.5) * column - wide / 2,
          band.top + neuron[k] * band.row, wide, high);
      }
      drawn += step.length;
    }
    axis(pen, width, bottom, column);
    at("raster").dataset.drawn = drawn;
  }

  function axis(pen, width, bottom, column) {
    pen.fillStyle = "#6b7787";
    pen.textAlign = "center";
    pen.textBaseline = "top";
    const every = ticks(data.steps, width / 60);
    for (let t = 0; t < data.steps; t += every) {
      pen.fillText(t, LEFT + (t + 0.5) * column, bottom + 6);
    }
    pen.textAlign = "right";
    pen.fillText("step", LEFT - 10, bottom + 6);
  }

  function find(event) {
    const box = at("raster").getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    const step = Math.floor((x - LEFT) / ((box.width - LEFT - RIGHT) / data.steps));
    const band = rows.find((b) => y >= b.top && y < b.top + b.high);
    if (!band || step < 0 || step >= data.steps) return null;
    return { node: band.node, neuron: Math.floor((y - band.top) / band.row), step };
  }

  function point(event) {
    const place = find(event);
    if (!place) { at("hint").textContent = ""; return; }
    const [step, neuron] = spikes(place.node, chosen.sample);
    let count = 0, here = false;
    for (let k = 0; k < step.length; k++) {
      if (neuron[k] === place.neuron) { count++; here = here || step[k] === place.step; }
    }
    at("hint").textContent = `${data.nodes[place.node].name}, neuron ${place.neuron}, step ` +
      `${place.step}: ${here ? "spike" : "no spike"}; ${count} in this sample`;
  }

  function pick(event) {
    const place = find(event);
    if (!place) return;
    const name = data.nodes[place.node].name;
    const node = data.traced.findIndex((n) => n.name === name && n.spiking);
    if (node < 0) return;
    const neurons = data.traced[node].neurons;
    let best = 0;
    neurons.forEach((n, k) => {
      if (Math.abs(n - place.neuron) < Math.abs(neurons[best] - place.neuron)) best = k;
    });
    chosen.node = node;
    chosen.neurons[node] = new Set([best]);
    at("node").value = node;
    drawChips();
    drawMembrane();
  }

  function drawVotes() {
    const sample = data.samples[chosen.sample], low = Math.min(0, ...sample.votes);
    const high = Math.max(1, ...sample.votes.map((v) => v - low));
    at("votes").replaceChildren(...sample.votes.slice(0, 64).map((v, k) => {
      const best = k === sample.predicted, made = element("div", undefined,
        { class: (best ? "best " : "") + (k === sample.label ? "label" : "") });
      const column = element("i");
      column.style.height = 84 * (v - low) / high + "px";
      const value = Math.abs(v) < 1e5 ? v.toLocaleString("en") : v.toExponential(1);
      made.append(element("small", value), column, element("span", k));
      made.title = `neuron ${k}: ${v} ${data.output.spiking ? "spikes" : "(sum of potentials)"}`;
      return made;
    }));
    const verdict = at("verdict");
    const labelled = sample.label !== null, right = sample.label === sample.predicted;
    verdict.textContent = `answer ${sample.predicted}` +
      (labelled ? right ? ", right" : `, wrong: the label is ${sample.label}` : "");
    verdict.className = labelled ? right ? "right" : "wrong" : "";
  }

  function drawChips() {
    const node = data.traced[chosen.node], on = chosen.neurons[chosen.node];
    at("neurons").replaceChildren(...node.neurons.map((n, k) => {
      const made = element("button", n, { type: "button", title: "neuron " + n });
      if (on.has(k)) { made.className = "on"; made.style.background = SHADES[k % SHADES.length]; }
      made.onclick = () => {
        if (on.has(k)) on.delete(k); else on.add(k);
        drawChips();
        drawMembrane();
      };
      return made;
    }));
  }

  function drawMembrane() {
    const node = data.traced[chosen.node], on = [...chosen.neurons[chosen.node]];
    const values = unpack(node.values[chosen.sample], Int32Array);
    const count = node.neurons.length, steps = data.steps, height = 250;
    const width = at("membrane").clientWidth;
    const y = (k, t) => values[t * count + k];
    let low = 0, high = 1;
    for (const k of on) {
      for (let t = 0; t < steps; t++) { low = Math.min(low, y(k, t)); high = Math.max(high, y(k, t)); }
      if (node.threshold) high = Math.max(high, node.threshold[k]);
    }
    const space = (high - low) * 0.06;
    low -= low < 0 ? space : 0;
    high += space;
    const px = (t) => LEFT + (t + 0.5) * (width - LEFT - RIGHT) / steps;
    const py = (v) => 8 + (high - v) / (high - low) * (height - 8 - BOTTOM);
    const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, height });
    grid(svg, low, high, width, py);
    for (let t = 0; t < steps; t += ticks(steps, width / 60)) {
      svg.append(label(px(t), height - 8, t, "middle"));
    }
    svg.append(label(LEFT - 10, height - 8, "step", "end"));
    const thresholds = new Set(node.threshold ? on.map((k) => node.threshold[k]) : []);
    for (const v of [...thresholds].slice(0, 12)) {
      svg.append(make("line", { x1: LEFT, x2: width - RIGHT, y1: py(v), y2: py(v),
        stroke: "#b53636", "stroke-dasharray": "5 4", "stroke-width": 1.2 }));
    }
    for (const k of on) drawTrace(svg, node, k, y, px, py);
    svg.dataset.traces = on.length;
    at("membrane").replaceChildren(svg);
    const number = data.samples[chosen.sample].number;
    at("membrane").title = `${node.name}, sample ${number}, from the ${node.source}`;
  }

  function drawTrace(svg, node, k, y, px, py) {
    const shade = SHADES[k % SHADES.length];
    let path = "";
    for (let t = 0; t < data.steps; t++) {
      path += (t ? "L" : "M") + px(t).toFixed(1) + " " + py(y(k, t)).toFixed(1);
    }
    svg.append(make("path", { d: path, fill: "none", stroke: shade, "stroke-width": 1.7,
      "stroke-linejoin": "round" }));
    const source = data.nodes.findIndex((n, i) => i > 0 && n.name === node.name);
    if (source < 0) return;
    const [step, neuron] = spikes(source, chosen.sample);
    for (let i = 0; i < step.length; i++) {
      if (neuron[i] === node.neurons[k]) {
        svg.append(make("circle", { cx: px(step[i]), cy: py(node.threshold[k]), r: 3.4,
          fill: shade, stroke: "#fff" }));
      }
    }
  }

  function grid(svg, low, high, width, py) {
    const every = ticks(high - low, 5);
    for (let v = Math.ceil(low / every) * every; v <= high; v += every) {
      svg.append(make("line", { x1: LEFT, x2: width - RIGHT, y1: py(v), y2: py(v),
        stroke: "#e7eaee" }));
      svg.append(label(LEFT - 10, py(v) + 4, v.toLocaleString("en"), "end"));
    }
  }

  function make(name, attributes) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  function label(x, y, text, anchor) {
    const made = make("text", { x, y, "text-anchor": anchor, fill: "#6b7787", "font-size": 12 });
    made.textContent = text;
    return made;
  }

  function draw() {
    drawRaster();
    drawVotes();
    if (data.traced.length) { drawChips(); drawMembrane(); }
  }

  function show(sample) {
    chosen.sample = (sample + data.samples.length) % data.samples.length;
    at("sample").value = chosen.sample;
    draw();
  }

  at("sample").replaceChildren(...data.samples.map((s, k) => element("option", `sample ${s.number}` +
    (s.label === null ? "" : `, label ${s.label}${s.label === s.predicted ? "" : " (wrong)"}`),
  { value: k })));
  at("node").replaceChildren(...data.traced.map((n, k) => element("option", n.name, { value: k })));
  at("sample").onchange = (event) => show(Number(event.target.value));
  at("previous").onclick = () => show(chosen.sample - 1);
  at("next").onclick = () => show(chosen.sample + 1);
  at("node").onchange = (event) => {
    chosen.node = Number(event.target.value);
    drawChips();
    drawMembrane();
  };
  at("raster").onmousemove = point;
  at("raster").onclick = pick;
  window.addEventListener("resize", draw);
  show(0);
  document.body.dataset.ready = "yes";
})();
