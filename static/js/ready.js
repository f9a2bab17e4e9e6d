// Runs before the first paint: what only works with scripts stays hidden without them.
document.documentElement.classList.add("js");
