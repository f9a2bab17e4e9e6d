// Editing a completion: filled when a text was changed; where only the one put first may be
// edited, the others are put away as soon as the parts before it say which that is.

import { bestBefore } from "./best.js";

export const attach = (fieldset) => {
  const blocks = [...fieldset.querySelectorAll("details.rewritten")];
  const areaOf = (block) => block.querySelector("textarea");
  const isChanged = (block) => {
    const area = areaOf(block);
    const text = area.value.trim();
    return "changed" in block.dataset ? text !== "" : text !== area.defaultValue.trim();
  };
  let offered; // what was first when the blocks were last looked at
  const offer = () => {
    const best = bestBefore(fieldset);
    if (best === offered) return; // a block that somebody closed stays closed while they write
    offered = best;
    for (const block of blocks) {
      const isBest = block.dataset.position === best;
      block.hidden = areaOf(block).disabled = "bestOnly" in block.dataset && best !== null && !isBest;
      if (isBest) block.open = true;
    }
  };
  fieldset.form.addEventListener("input", offer);
  offer();
  return {
    filled: () => blocks.some((block) => !block.hidden && isChanged(block)),
    key: () => false, // its keys are the text's own
  };
};
