// Runs in a page: visible text with less contrast than WCAG 2.2 asks for (1.4.3: 4.5 to 1, large text 3 to 1).
(() => {
  const colour = text => {
    const [red, green, blue, alpha = 1] = text.match(/[\d.]+/g).map(Number);
    return [red, green, blue, alpha];
  };
  const over = ([r, g, b, a], [R, G, B]) => [
    r * a + R * (1 - a),
    g * a + G * (1 - a),
    b * a + B * (1 - a),
    1,
  ];
  const luminance = channels => {
    const [r, g, b] = channels.map(v => (v <= 10 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const known = new Map();
  const backgroundOf = element => {
    if (!element) return { opacity: 1, behind: [255, 255, 255, 1] };
    if (!known.has(element)) {
      const { opacity, backgroundColor } = getComputedStyle(element);
      const below = backgroundOf(element.parentElement);
      known.set(element, {
        opacity: below.opacity * Number(opacity),
        behind: over(colour(backgroundColor), below.behind),
      });
    }
    return known.get(element);
  };
  const contrast = (one, other) => {
    const [dark, bright] = [luminance(one), luminance(other)].sort((x, y) => x - y);
    return (bright + 0.05) / (dark + 0.05);
  };
  const found = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (texts.currentNode.data.trim() === '' || !element.checkVisibility()) continue;
    const { opacity, behind } = backgroundOf(element);
    const { color, fontSize, fontWeight } = getComputedStyle(element);
    const [r, g, b, a] = colour(color);
    const has = contrast(over([r, g, b, a * opacity], behind), behind);
    const size = Number.parseFloat(fontSize);
    const needs = size >= 24 || (size >= 18.66 && Number(fontWeight) >= 700) ? 3 : 4.5;
    if (has < needs) found.add(`${element.tagName}.${element.className}: ${has.toFixed(2)}`);
  }
  return [...found];
})();
