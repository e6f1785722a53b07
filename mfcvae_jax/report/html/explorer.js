// Copyright 2026 The mfcvae_jax Authors
// SPDX-License-Identifier: Apache-2.0
// Shows the combination of clusters that is picked, or that the address names
// (#0=3&1=5: cluster 3 of facet 0, cluster 5 of facet 1).
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("explorer-data").textContent);
  const nFacets = data.facets.length;
  const combinations = new Map(data.combinations.map((c) => [c.at.join(), c]));
  const occurring = data.combinations.filter((c) => c.n > 0);
  const sheets = {
    generated: byId("generated-sprites"),
    examples: byId("examples-sprites"),
  };
  const inputs = (n) => (n === 1 ? "1 held-out input" : `${n} held-out inputs`);
  const shown = (some, n) => (some < n ? `, the ${some} most confident` : "");

  const tile = (sheet, i, name) => {
    const canvas = document.createElement("canvas");
    canvas.width = data.width;
    canvas.height = data.height;
    const columns = data.columns[sheet];
    canvas
      .getContext("2d")
      .drawImage(
        sheets[sheet],
        (i % columns) * data.width,
        Math.floor(i / columns) * data.height,
        data.width,
        data.height,
        0,
        0,
        data.width,
        data.height,
      );
    canvas.dataset.tile = `${sheet} ${i}`;
    if (name) {
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", name);
      canvas.title = name;
    }
    return canvas;
  };

  const example = (i) => {
    const { index, labels } = data.examples[i];
    const classes = labels.map((c, m) => `, ${data.labelings[m]} ${c}`);
    return tile("examples", i, `input ${index}${classes.join("")}`);
  };

  const fill = (id, tiles, otherwise) => {
    const note = document.createElement("p");
    note.textContent = otherwise;
    byId(id).replaceChildren(...(tiles.length ? tiles : [note]));
  };

  const radio = (facet, k) =>
    document.querySelector(`input[name="facet-${facet}"][value="${k}"]`);

  const picked = () =>
    data.facets.map((_, j) =>
      Number(document.querySelector(`input[name="facet-${j}"]:checked`).value),
    );

  // Sideways only: where the chips are one row, that of a phone.
  const reveal = (facet, k) => {
    const chip = radio(facet, k).parentElement;
    const row = chip.parentElement;
    row.scrollLeft = chip.offsetLeft - (row.clientWidth - chip.offsetWidth) / 2;
  };

  const show = () => {
    const at = picked();
    at.forEach((k, j) => reveal(j, k));
    const found = combinations.get(at.join());
    const n = found ? found.n : 0;
    const where = at.map((k, j) => `facet ${j} cluster ${k}`).join(", ");
    byId("explorer-status").textContent =
      `${where[0].toUpperCase()}${where.slice(1)}: ${n ? inputs(n) : "no held-out input"}.`;

    const generated = [];
    if (found && found.mean !== null) {
      const mean = tile("generated", found.mean, `generated from the means, ${where}`);
      mean.className = "mean";
      generated.push(
        mean,
        ...found.samples.map((i, s) => tile("generated", i, `sample ${s + 1}, ${where}`)),
      );
    }
    fill("generated", generated, "This page does not hold what is generated here.");
    const here = found ? found.here : [];
    byId("here-title").textContent =
      `Held-out inputs here${here.length ? shown(here.length, n) : ""}`;
    fill(
      "here",
      here.map(example),
      n ? "This page does not hold the inputs here." : "None.",
    );
    if (nFacets > 1) {
      at.forEach((k, j) => {
        const cluster = data.facets[j][k];
        const members = cluster ? cluster.members : [];
        const size = cluster
          ? inputs(cluster.n) + shown(members.length, cluster.n)
          : "empty";
        byId(`members-title-${j}`).textContent = `Facet ${j}, cluster ${k}: ${size}`;
        fill(`members-${j}`, members.map(example), "None.");
      });
    }
    const rank = occurring.indexOf(found);
    // Disabling would take the focus away from whoever is pressing the button.
    byId("more-frequent").setAttribute("aria-disabled", rank === 0);
    byId("less-frequent").setAttribute("aria-disabled", rank === occurring.length - 1);
  };

  const pick = (at) => {
    at.forEach((k, j) => {
      const input = radio(j, k);
      if (input) input.checked = true;
    });
    show();
  };

  const remember = () =>
    history.replaceState(null, "", `#${picked().map((k, j) => `${j}=${k}`).join("&")}`);

  const pickFromAddress = () => {
    const named = new URLSearchParams(location.hash.slice(1));
    const at = picked().map((k, j) => {
      const wanted = named.get(String(j));
      return /^\d+$/.test(wanted) ? Number(wanted) : k;
    });
    pick(at);
  };

  const step = (by) => {
    const rank = occurring.indexOf(combinations.get(picked().join()));
    const next = rank < 0 ? 0 : rank + by;
    if (next < 0 || next >= occurring.length) return;
    pick(occurring[next].at);
    remember();
  };

  const start = () => {
    data.facets.forEach((clusters, j) => {
      for (const [k, cluster] of Object.entries(clusters)) {
        radio(j, k).parentElement
          .querySelector(".picture")
          .append(tile("examples", cluster.members[0]));
      }
    });
    for (const fieldset of document.querySelectorAll("fieldset[data-facet]")) {
      fieldset.addEventListener("change", () => {
        show();
        remember();
      });
    }
    byId("more-frequent").addEventListener("click", () => step(-1));
    byId("less-frequent").addEventListener("click", () => step(1));
    window.addEventListener("hashchange", pickFromAddress);
    pickFromAddress();
    byId("explorer").dataset.ready = "";
  };

  Promise.all(Object.values(sheets).map((image) => image.decode())).then(start);
})();
