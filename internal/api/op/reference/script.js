"use strict";
(() => {
  const filter = document.getElementById("filter");
  const entries = [...document.querySelectorAll("[data-search]")];
  const groups = [...document.querySelectorAll("nav details, main .tag:not(#schemas)")];
  const nothing = document.getElementById("nothing");

  function apply() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const e of entries) {
      const match = words.every((w) => e.dataset.search.includes(w));
      e.hidden = !match;
      if (match) shown++;
    }
    for (const g of groups) {
      g.hidden = words.length > 0 && !g.querySelector("[data-search]:not([hidden])");
    }
    nothing.hidden = shown > 0;
  }

  function openTarget() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === "DETAILS") {
      target.hidden = false;
      target.open = true;
      target.scrollIntoView();
    }
  }

  filter.addEventListener("input", apply);
  addEventListener("hashchange", openTarget);
  addEventListener("keydown", (e) => {
    if (e.key === "/" && document.activeElement !== filter) {
      e.preventDefault();
      filter.focus();
    }
    if (e.key === "Escape" && document.activeElement === filter) {
      filter.value = "";
      apply();
    }
  });
  document.addEventListener("click", (e) => {
    if (!e.target.classList.contains("copy") || !navigator.clipboard) return;
    navigator.clipboard.writeText(e.target.nextElementSibling.textContent).then(() => {
      e.target.textContent = "Copied";
      setTimeout(() => { e.target.textContent = "Copy"; }, 1500);
    });
  });
  openTarget();
})();
