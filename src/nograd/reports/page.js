"use strict";
(() => {
  // Theme: the system's, until the button says otherwise. A file may have no storage; then it is not remembered.
  const root = document.documentElement;
  const remember = (theme) => { try { localStorage.setItem("nograd-theme", theme); } catch { /* not allowed */ } };
  const remembered = () => { try { return localStorage.getItem("nograd-theme"); } catch { return null; } };
  const button = document.getElementById("theme");
  const system = () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  if (remembered()) root.dataset.theme = remembered();
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = (root.dataset.theme || system()) === "dark" ? "light" : "dark";
    remember(root.dataset.theme);
  });

  // Tables: a click on a heading sorts by its column, another one turns the order. Cells without a key come last.
  const keyOf = (row, place) => row.cells[place].dataset.key ?? row.cells[place].textContent;
  const compare = (one, other) => {
    const numbers = [Number(one), Number(other)];
    return numbers.some(Number.isNaN) ? one.localeCompare(other) : numbers[0] - numbers[1];
  };
  const sort = (head) => {
    const body = head.closest("table").tBodies[0];
    const sign = head.ariaSort === "descending" ? 1 : -1;
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.ariaSort = sign > 0 ? "ascending" : "descending";
    const rows = [...body.rows].sort((one, other) => {
      const [left, right] = [keyOf(one, head.cellIndex), keyOf(other, head.cellIndex)];
      if (left === "" || right === "") return (left === "") - (right === "");
      return sign * compare(left, right);
    });
    body.append(...rows);
  };
  for (const head of document.querySelectorAll("table.sortable th")) head.addEventListener("click", () => sort(head));

  // Charts: the picture that came with the page is replaced by a live one when it is first seen.
  const config = JSON.parse(document.getElementById("chart-configuration").textContent);
  const options = {
    mode: "vega-lite", renderer: "svg", actions: false, defaultStyle: false, config,
    ast: true, // expressions are interpreted, so that the page can forbid eval
    tooltip: { disableDefaultStyle: true },
  };
  const enliven = async (figure) => {
    const plot = figure.querySelector(".plot");
    const still = plot.querySelector("svg");
    const live = document.createElement("div");
    live.className = "live pending";
    plot.append(live);
    const specification = JSON.parse(figure.querySelector("script").textContent);
    const { view } = await vegaEmbed(live, { ...specification, width: "container" }, options);
    still.remove();
    live.className = "live";
    if (figure.dataset.brush) brush(view, live, figure.dataset.brush);
  };
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      enliven(entry.target);
    }
  }, { rootMargin: "200px" });
  for (const figure of document.querySelectorAll("figure.chart")) seen.observe(figure);

  // Parallel coordinates: a drag along an axis sets its range in the signal; a double click frees all axes.
  const brush = (view, element, signal) => {
    const free = view.signal(signal);
    const scales = () => [view.scale("x"), view.scale("y")];
    const place = (event) => {
      const [dx, dy] = view.origin();
      const box = element.querySelector("svg").getBoundingClientRect();
      return [event.clientX - box.left - dx, event.clientY - box.top - dy];
    };
    const set = (axis, range) => view.signal(signal, view.signal(signal).map((r, i) => (i === axis ? range : r))).run();
    let drag = null;
    element.addEventListener("pointerdown", (event) => {
      const [x, y] = place(event);
      const [across, down] = scales();
      drag = { axis: Math.min(free.length - 1, Math.max(0, Math.round(across.invert(x)))), from: down.invert(y) };
      element.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    element.addEventListener("pointermove", (event) => {
      if (!drag) return;
      const to = scales()[1].invert(place(event)[1]);
      set(drag.axis, [Math.min(drag.from, to), Math.max(drag.from, to)]);
    });
    element.addEventListener("pointerup", (event) => {
      if (drag && Math.abs(scales()[1].invert(place(event)[1]) - drag.from) < 0.02) set(drag.axis, free[drag.axis]);
      drag = null;
    });
    element.addEventListener("dblclick", () => view.signal(signal, free).run());
  };
})();
