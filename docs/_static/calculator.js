/* SPDX-License-Identifier: MIT */
/* Looks answers up in what the library worked out when the site was built, and draws
   them. It computes nothing about page tables itself. */
"use strict";
(function () {
  const root = document.getElementById("s2geom-calculator");
  const data = window.S2GEOM_CALCULATOR;
  if (!root) return;
  if (!data) {
    root.textContent = "The calculator's answers are missing: _static/calculator-data.js";
    return;
  }

  /* What can be chosen: a label, and the values on offer with their words. The page
     size decides which VA widths there are, so both are one axis of the answers. */
  const choice = { ...data.start };
  const bits = (number) => [number, number + " bits"];
  const pages = [...new Set(data.hosts.map(([page]) => page))];
  const fields = {
    page: { label: "Page size", offer: () => pages.map((page) => [page, page]) },
    ipa: { label: "Guest IPA", offer: () => data.ipa.map(bits) },
    va: {
      label: "Host VA",
      offer: () => data.hosts.filter(([page]) => page === choice.page).map(([, va]) => bits(va)),
    },
    kernel_pa: { label: "Kernel's PA_BITS", offer: () => data.kernel_pa.map(bits) },
    cpu: { label: "CPU's PARange", offer: () => data.cpus },
    kernel: { label: "Kernel", offer: () => data.kernels },
  };

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  /* What is on the page for good: the choices, the verdict that screen readers follow,
     and a place for the rest of the answer. */
  const form = element("form", { "aria-label": "Configuration" });
  const verdict = element("div", { class: "verdict", role: "status" });
  const answer = element("div", { class: "answer" });
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const [name, field] of Object.entries(fields)) {
    const id = "s2calc-" + name;
    field.select = element("select", { id, name });
    field.select.addEventListener("change", () => {
      choice[name] = field.select.value;
      update();
      name_soon();
    });
    form.append(
      element("div", { class: "field" }, element("label", { for: id }, field.label), field.select)
    );
  }
  /* A word from a register dump chooses the page size and the width that it says. */
  const word = element("input", {
    id: "s2calc-word",
    name: "word",
    placeholder: "0x80023558",
    spellcheck: "false",
    autocomplete: "off",
    "aria-describedby": "s2calc-said",
  });
  const said_of_word = element("p", { id: "s2calc-said", role: "status", class: "said" });
  const take = element("form", { "aria-label": "A VTCR_EL2 word", class: "word" });
  take.append(
    element("div", { class: "field" }, element("label", { for: word.id }, "VTCR_EL2 word"), word),
    element("button", { type: "submit" }, "Show its shape"),
    said_of_word
  );
  take.addEventListener("submit", (event) => {
    event.preventDefault();
    take_word(word.value.trim());
  });
  const copying = element("div", { class: "copying" });
  for (const [label, text] of [
    ["Copy as text", as_text],
    ["Copy as Python", as_python],
  ]) {
    const button = element("button", { type: "button" }, label);
    button.addEventListener("click", () => copy(button, text()));
    copying.append(button);
  }
  root.replaceChildren(form, take, verdict, copying, answer);

  /* What is not on offer, be it a VA width of another page size or a slip in a link,
     becomes the nearest width that is, or else the choice of the start. */
  function settled(name, values) {
    const wanted = choice[name];
    if (values.includes(wanted)) return wanted;
    if (/^\d{1,3}$/.test(wanted) && values.every((value) => /^\d+$/.test(value))) {
      const far = (value) => Math.abs(value - wanted);
      return values.reduce((best, value) => (far(value) < far(best) ? value : best));
    }
    return values.includes(data.start[name]) ? data.start[name] : values[0];
  }

  function settle() {
    for (const [name, field] of Object.entries(fields)) {
      const offer = field.offer();
      const values = offer.map(([value]) => value);
      choice[name] = settled(name, values);
      if (field.offered !== values.join()) {
        field.offered = values.join();
        field.select.replaceChildren(
          ...offer.map(([value, label]) => element("option", { value }, label))
        );
      }
      field.select.value = choice[name];
    }
  }

  function found() {
    const first = ([value]) => value;
    const axes = [
      [data.hosts.map(String), choice.page + "," + choice.va],
      [data.kernel_pa, choice.kernel_pa],
      [data.ipa, choice.ipa],
      [data.kernels.map(first), choice.kernel],
      [data.cpus.map(first), choice.cpu],
    ];
    const at = axes.reduce((sum, [axis, value]) => sum * axis.length + axis.indexOf(value), 0);
    return data.answers[data.found[at]];
  }

  function table(number) {
    const [caption, lines] = data.tables[number];
    const body = element("tbody", {});
    for (const line of lines) {
      const [name, value] = data.rows[line];
      body.append(
        element(
          "tr",
          {},
          element("th", { scope: "row" }, name),
          element(
            "td",
            {},
            element("span", { class: "value" }, value),
            element("span", { class: "meaning" }, data.meanings[name])
          )
        )
      );
    }
    return element("table", {}, element("caption", {}, caption), body);
  }

  let drawn = null;
  function picture(number) {
    if (drawn === null || drawn.number !== number) {
      /* It can be wider than the page, so it scrolls, also by keyboard. */
      const frame = element("div", {
        class: "picture",
        tabindex: "0",
        role: "group",
        "aria-label": "The bits of an IPA",
      });
      frame.innerHTML = data.pictures[number]; /* the library's, nothing of the reader's */
      drawn = { number, frame };
    }
    return drawn.frame;
  }

  function update() {
    settle();
    const [supported, said, tables, number] = found();
    verdict.className = supported ? "verdict yes" : "verdict no";
    verdict.replaceChildren(
      element("strong", {}, supported ? "Supported" : "Not supported"),
      ...said.map((sentence) => element("p", {}, data.sentences[sentence]))
    );
    answer.replaceChildren(
      ...(number === null ? [] : [picture(number)]),
      element("div", { class: "tables" }, ...tables.map(table))
    );
  }

  /* The choice and its answer as lines, and as the question to the library. */
  function as_text() {
    const [supported, said, tables] = found();
    const lines = Object.entries(fields).map(
      ([, field]) => field.label + ": " + field.select.selectedOptions[0].textContent
    );
    lines.push("", supported ? "Supported" : "Not supported");
    lines.push(...said.map((sentence) => data.sentences[sentence]));
    for (const number of tables) {
      const [caption, rows] = data.tables[number];
      lines.push("", caption, ...rows.map((row) => "  " + data.rows[row].join(": ")));
    }
    return lines.join("\n") + "\n";
  }

  function as_python() {
    const { page, kernel, cpu } = data.python;
    return (
      "import s2geom as s2\n\n" +
      `question = (${page[choice.page]}, ${choice.ipa}, ${choice.va})\n` +
      `kernel = dict(pa_bits=${choice.kernel_pa}, scheme=${kernel[choice.kernel]}, ` +
      `cpu=${cpu[choice.cpu]})\n` +
      "s2.check(*question, **kernel) or s2.stage2(*question, **kernel)\n"
    );
  }

  /* A page that was opened as a file has no clipboard of its own, but may copy what is
     selected. */
  function copy(button, text) {
    const done = () => {
      const label = button.textContent;
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = label), 1500);
    };
    if (button.textContent === "Copied") return;
    const area = element("textarea", { class: "copied", "aria-hidden": "true" });
    area.value = text;
    root.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
    done();
  }

  /* Which shape a word says is looked up too: by the bits of it that say a shape. */
  function take_word(text) {
    if (!/^(0x[0-9a-f_]{1,20}|[0-9]{1,20})$/i.test(text)) {
      said_of_word.textContent = "A word is written like 0x80023558.";
      return;
    }
    const bits = BigInt(text.replaceAll("_", "")) & BigInt(data.shape_bits);
    const shape = data.words[bits];
    if (!shape) {
      said_of_word.textContent =
        "No CPU takes a shape with these fields. This says why: s2geom decode vtcr " + text;
      return;
    }
    const [page, ipa, sentence] = shape;
    said_of_word.textContent = "The word says: " + sentence + ".";
    if (!data.ipa.includes(ipa)) {
      said_of_word.textContent += " KVM has no such width.";
      return;
    }
    Object.assign(choice, { page, ipa });
    update();
    const [supported, said] = found();
    if (!supported) said_of_word.textContent += " The kernel chosen here refuses it.";
    else if (data.sentences[said[0]] !== sentence)
      said_of_word.textContent += " The kernel chosen here takes another shape for this width.";
    name_soon();
  }

  /* Not at once: a key that is held down changes the choice more often than browsers
     let a page change its address. */
  let soon = null;
  function name_soon() {
    clearTimeout(soon);
    soon = setTimeout(name_the_choice, 100);
  }

  function name_the_choice() {
    clearTimeout(soon);
    history.replaceState(null, "", "#" + new URLSearchParams(choice));
  }

  /* A link says what it names and nothing else: what it leaves out is as at the start. */
  function read() {
    clearTimeout(soon);
    Object.assign(choice, data.start);
    for (const [name, value] of new URLSearchParams(location.hash.slice(1)))
      if (Object.hasOwn(choice, name)) choice[name] = value;
    update();
    if (location.hash.length > 1) name_the_choice();
  }

  window.addEventListener("hashchange", read);
  read();
})();
