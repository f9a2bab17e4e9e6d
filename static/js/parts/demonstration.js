// Writing an answer: filled at its least length, and shown on demand as it will be rendered.

import { parse } from "../markup.js";
import { post } from "../rate/outbox.js";

export const attach = (fieldset) => {
  const area = fieldset.querySelector("textarea");
  const button = fieldset.querySelector("[data-preview]");
  const box = fieldset.querySelector(".preview");
  const fields = () => [["preview", "text"], ["text", area.value]];
  button.addEventListener("click", async () => {
    const response = await post(button.dataset.preview, fields()).catch(() => null);
    if (response?.ok) box.replaceChildren(parse(await response.text()));
    else box.textContent = button.dataset.failed;
  });
  return {
    filled: () => [...area.value.trim()].length >= Math.max(1, Number(area.dataset.min) || 0),
    key: () => false, // its keys are the text's own
  };
};
