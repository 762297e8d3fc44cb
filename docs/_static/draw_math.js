for (const node of document.querySelectorAll(".katex-source")) {
  const displayMode = node.dataset.display === "1";
  // an error is a console error, which `make docs-check` looks for
  katex.render(node.textContent, node, { displayMode, throwOnError: true, strict: "error" });
}
