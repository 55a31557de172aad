// SPDX-License-Identifier: Apache-2.0
// Tells in words what one points at in the drawing of a mesh.
"use strict";
(() => {
  const numbers = document.getElementById("numbers");
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
  document.body.dataset.mesh = "ready";
})();
