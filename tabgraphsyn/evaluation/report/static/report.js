"use strict";
// Draws the interactive figures when they come near the window, and again in the colours of another theme.
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  // Plotly parses plain colours only, so each custom property is resolved by the browser first.
  const colour = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };

  const axis = (extra) => ({
    gridcolor: colour("line"), zeroline: false, linecolor: colour("line"), tickfont: { size: 10 }, automargin: true,
    ...extra,
  });
  const frame = (extra) => ({
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 11, color: colour("muted") },
    margin: { l: 8, r: 8, t: 8, b: 8 }, showlegend: false,
    hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink") } },
    ...extra,
  });

  const draw = {
    heat: (f) => {
      const zero = colour("soft");
      const ends = f.scale === "difference" ? ["#5e3c99", "#e66101"] : ["#b2182b", "#2166ac"];
      const scale = [[0, ends[0]], [0.5, zero], [1, ends[1]]];
      const hover = f.scale === "difference" ? "synthetic − real" : "association";
      const trace = {
        type: "heatmap", x: f.columns, y: f.columns, z: f.z, zmin: -f.limit, zmax: f.limit, colorscale: scale, xgap: 1, ygap: 1,
        hovertemplate: `%{y}<br>%{x}<br>${hover} %{z:.2f}<extra></extra>`, hoverongaps: false,
        colorbar: { thickness: 7, len: 0.9, outlinewidth: 0, tickvals: [-f.limit, 0, f.limit], tickfont: { size: 10 } },
      };
      const ticks = { tickmode: "array", tickvals: f.columns, ticktext: f.short, tickangle: 0 };
      const size = f.columns.length > 12 ? 9 : 10;
      return [[trace], frame({
        xaxis: axis({ ...ticks, tickangle: -90, ticks: "", showgrid: false, tickfont: { size } }),
        yaxis: axis({ ...ticks, autorange: "reversed", ticks: "", showgrid: false, tickfont: { size } }),
      })];
    },
    map: (f) => {
      const markers = {
        real: { color: colour("real"), size: 4, opacity: 0.7 },
        synthetic: { color: colour("synthetic"), size: 4, opacity: 0.7, symbol: "diamond" },
      };
      // The sides are drawn in turns of slices, so that neither covers the other.
      const slices = 8;
      const slice = (values, i) => values.filter((_, row) => row % slices === i);
      const traces = [...Array(slices).keys()].flatMap((i) => Object.entries(markers).map(([name, marker]) => ({
        type: "scatter", mode: "markers", name, legendgroup: name, showlegend: i === 0, hoverinfo: "skip", marker,
        x: slice(f[name][0], i), y: slice(f[name][1], i),
      })));
      const bare = axis({ showgrid: false, showticklabels: false, showline: false, ticks: "" });
      return [traces, frame({
        xaxis: bare, yaxis: { ...bare, scaleanchor: "x" }, showlegend: true,
        legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", itemsizing: "constant", font: { color: colour("ink") } },
      })];
    },
    curves: (f) => {
      const inks = [colour("accent"), colour("synthetic"), colour("good"), colour("muted")];
      const dashes = ["solid", "dash", "dot", "dashdot"];
      const traces = f.curves.map((curve, i) => ({
        type: "scatter", mode: "lines", name: curve.name, x: curve.x, y: curve.y,
        line: { color: inks[i % 4], dash: dashes[i % 4], width: 1.8 },
      }));
      return [traces, frame({
        xaxis: axis({ title: { text: "step", font: { size: 10 }, standoff: 4 } }),
        yaxis: axis(f.log ? { type: "log", dtick: 1, exponentformat: "power" } : { nticks: 5 }),
        showlegend: true, legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", font: { color: colour("ink") } },
        hovermode: "x unified",
      })];
    },
  };

  const options = { displaylogo: false, responsive: true, displayModeBar: false, scrollZoom: false };
  const show = (element) => {
    const figure = figures[element.dataset.figure];
    const [traces, layout] = draw[figure.kind](figure);
    element.querySelector(".waiting")?.remove();
    return Plotly.react(element, traces, layout, options).then(() => { element.dataset.drawn = "yes"; });
  };
  const plots = [...document.querySelectorAll(".plot")];
  const watcher = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) { watcher.unobserve(target); show(target); }
    }
  }, { rootMargin: "700px" });
  plots.forEach((plot) => watcher.observe(plot));
  addEventListener("beforeprint", () => plots.forEach((plot) => show(plot)));

  document.addEventListener("themechange", () => {
    plots.filter((plot) => plot.dataset.drawn).forEach((plot) => show(plot));
  });
})();
