// What scripts add to the pages, which are complete without: times in the viewer's own zone, and news without reload.
// The server says that something changed (/live); the same page is fetched, and what differs is put in its place.
// Focus, scroll, open details and half-filled forms stay as they are.
"use strict";

(() => {
  const lang = document.documentElement.lang;
  const instant = new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });
  const day = new Intl.DateTimeFormat(lang, { dateStyle: "medium" });
  const clock = new Intl.DateTimeFormat(lang, { timeStyle: "short", hourCycle: "h23" });
  const relative = new Intl.RelativeTimeFormat(lang, { style: "short", numeric: "always" });
  const STEPS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

  // The server's clock decides what "ago" is; the viewer's may be wrong.
  const shown = document.querySelector(".bottom time");
  let skew = shown ? Date.parse(shown.dateTime) - Date.now() : 0;

  function written(element) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) return null;
    if (element.dataset.form === "day") return day.format(moment);
    if (element.dataset.form !== "ago") return instant.format(moment);
    const passed = Math.trunc((moment.getTime() - Date.now() - skew) / 1000);
    const seconds = Math.abs(passed) < 2 ? -Math.abs(passed) : passed; // just now is never "in 0 s"
    const [unit, length] = STEPS.find((step) => Math.abs(seconds) >= 2 * step[1]) ?? STEPS.at(-1);
    return relative.format(Math.trunc(seconds / length), unit);
  }

  function tell(root) {
    for (const element of root.querySelectorAll("time[data-form]")) {
      const text = written(element);
      if (text !== null && element.textContent !== text) element.textContent = text;
    }
  }

  tell(document);
  // On a telephone the row of pages is wider than the screen.
  const here = document.querySelector(".main-nav [aria-current]");
  if (here) here.closest("ul").scrollLeft = here.offsetLeft - 16;
  setInterval(() => { if (!document.hidden) tell(document); }, 20000);

  // --- putting new parts in the place of old ones ---------------------------------------------------

  const keyOf = (node) => (node.nodeType === 1 && node.id ? `${node.tagName}#${node.id}` : null);
  const isDirty = (form) => [...form.elements].some((field) => {
    if (field.type === "hidden" || field.type === "submit") return false;
    if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
    if (field.tagName === "SELECT") return [...field.options].some((each) => each.selected !== each.defaultSelected);
    return field.value !== field.defaultValue;
  });
  const isKept = (node) => node.nodeType === 1 && node.tagName === "FORM"
    && (node.contains(document.activeElement) || "kept" in node.dataset || isDirty(node));
  const holdsKept = (node) => node.nodeType === 1 && (isKept(node) || [...node.querySelectorAll("form")].some(isKept));

  function become(old, fresh) {
    if (isKept(old)) return;
    for (const { name, value } of [...fresh.attributes]) {
      if (old.getAttribute(name) !== value && !(old.tagName === "DETAILS" && name === "open")) old.setAttribute(name, value);
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !(old.tagName === "DETAILS" && name === "open")) old.removeAttribute(name);
    }
    children(old, fresh);
  }

  function children(old, fresh) {
    const keyed = new Map();
    for (const child of old.childNodes) if (keyOf(child)) keyed.set(keyOf(child), child);
    let next = old.firstChild;
    for (const wanted of [...fresh.childNodes]) {
      const key = keyOf(wanted);
      const known = key ? keyed.get(key) : null;
      if (known) {
        if (known === next) next = next.nextSibling; else old.insertBefore(known, next);
        become(known, wanted);
      } else if (next && !key && !keyOf(next) && next.nodeType === wanted.nodeType && next.nodeName === wanted.nodeName) {
        const own = next;
        next = next.nextSibling;
        if (own.nodeType === 1) become(own, wanted);
        else if (own.nodeValue !== wanted.nodeValue) own.nodeValue = wanted.nodeValue;
      } else {
        const added = document.importNode(wanted, true);
        if (added.nodeType === 1 && added.tagName === "TR") added.classList.add("fresh-row");
        old.insertBefore(added, next);
      }
    }
    while (next) {
      const gone = next;
      next = next.nextSibling;
      if (!holdsKept(gone) && gone.id !== "notice") gone.remove(); // a notice is said once: by the page that got it
    }
  }

  // --- being told -----------------------------------------------------------------------------------

  const sign = document.getElementById("live");
  const revision = document.body.dataset.revision;
  if (!sign || revision === undefined || !("EventSource" in window)) return;

  const PATIENCE_MS = 5000; // a stream ends now and then and is opened again: that is no news
  const AGAIN_MS = 1000, AGAIN_MAX_MS = 60000;
  let known = revision, source = null, doubt = null, again = AGAIN_MS, retry = null, fetching = false, missed = false;

  function say(kind, text) {
    sign.hidden = false;
    sign.classList.toggle("live-stopped", kind !== "live");
    const place = sign.querySelector(".live-text");
    if (place.textContent !== text) place.textContent = text;
  }

  function well() {
    clearTimeout(doubt);
    doubt = null;
    say("live", sign.dataset.live);
  }

  function unwell() {
    if (doubt !== null) return;
    const since = clock.format(new Date());
    doubt = setTimeout(() => say("stopped", sign.dataset.stopped.replace("{time}", since)), PATIENCE_MS);
  }

  function later() {
    clearTimeout(retry);
    retry = setTimeout(comeBack, again);
    again = Math.min(again * 2, AGAIN_MAX_MS);
  }

  async function comeBack() {
    if (await refresh() && source === null) listen();
  }

  function signedOut() {
    if (source) source.close();
    source = null;
    clearTimeout(doubt);
    clearTimeout(retry);
    say("stopped", sign.dataset.signedOut);
  }

  // Fetches the page again; whether it was. A failure is made good later: the stream, which may live on, tells once.
  async function refresh() {
    if (fetching) { missed = true; return false; }
    fetching = true;
    try {
      const answer = await fetch(location.href, { headers: { "Syncline-Live": "refresh" }, cache: "no-store", redirect: "manual" });
      if (answer.type === "opaqueredirect" || answer.status === 401) { signedOut(); return false; }
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const moment = fresh.querySelector(".bottom time");
      if (moment) skew = Date.parse(moment.dateTime) - Date.now();
      tell(fresh);
      known = document.body.dataset.revision = fresh.body.dataset.revision ?? known;
      become(document.getElementById("main"), fresh.getElementById("main"));
      become(document.querySelector(".bottom"), fresh.querySelector(".bottom"));
      document.title = fresh.title;
      if (source && source.readyState === EventSource.OPEN) { clearTimeout(retry); again = AGAIN_MS; well(); }
      return true;
    } catch {
      unwell();
      later();
      return false;
    } finally {
      fetching = false;
      if (missed) { missed = false; setTimeout(comeBack, 500); }
    }
  }

  function listen() {
    source = new EventSource(`/live?known=${encodeURIComponent(known)}`);
    source.addEventListener("hello", () => { again = AGAIN_MS; well(); });
    source.addEventListener("changed", (event) => { known = event.data; refresh(); });
    source.onerror = () => {
      unwell();
      if (!source || source.readyState !== EventSource.CLOSED) return; // it tries again by itself
      source = null;
      later();
    };
  }

  addEventListener("online", () => { again = AGAIN_MS; comeBack(); });
  addEventListener("pagehide", () => { if (source) source.close(); source = null; clearTimeout(retry); });
  addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
  listen();
})();
