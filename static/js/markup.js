// The server's own markup as nodes, for every script that puts some on the page.

// The one place that reads HTML: of our own pages alone, sanitised on the server. No script in it
// runs, wherever it is put; nothing in it loads while it is inside a template.
export const parse = (html) => {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.content;
};
