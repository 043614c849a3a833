"use strict";
for (const box of document.querySelectorAll(".hover")) {
  const rows = JSON.parse(box.dataset.rows), chart = box.querySelector("svg"), cursor = box.querySelector(".cursor");
  const first = rows[0][0], length = rows[rows.length - 1][0] - first || 1;
  const note = box.appendChild(document.createElement("div"));
  note.className = "readout";
  const amount = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const show = (event) => {
    const area = chart.getBoundingClientRect();
    const ts = first + Math.min(1, Math.max(0, (event.clientX - area.left) / area.width)) * length;
    let low = 0, high = rows.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle][0] < ts) low = middle + 1; else high = middle;
    }
    const [at, equity, held, loss] = rows[low], x = (100 * (at - first)) / length + "%";
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    box.classList.add("on");
    const when = new Date(at).toISOString().slice(0, 16).replace("T", " ");
    note.textContent = `${when} · ${amount.format(equity)} · held ${amount.format(held)} · −${(100 * loss).toFixed(2)}%`;
  };
  const hide = () => { box.classList.remove("on"); note.textContent = ""; };
  box.addEventListener("pointermove", show);
  box.addEventListener("pointerdown", show);
  box.addEventListener("pointerleave", hide);
}
