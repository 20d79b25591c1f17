{% autoescape None %}// The service worker of the client: it opens without a network, and quickly with one.
//
// It keeps the files of one version of the client. What the server answers to anything else goes past it.

"use strict";

const VERSION = "{{ version }}";
const CACHE = `nova-${VERSION}`;
const STATIC_PREFIX = `/static/${VERSION}/`;
const SHELL = "/";
const KEPT = {{ kept }};

self.addEventListener("install", (event) => {
  event.waitUntil(keepShell());
  self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  event.waitUntil(dropOlder().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) {
    return;
  }
  if (url.pathname.startsWith(STATIC_PREFIX)) {
    event.respondWith(fromCache(request));
  } else if (request.mode === "navigate" && url.pathname === SHELL) {
    event.respondWith(fromServer(request));
  }
});

async function keepShell() {
  const cache = await caches.open(CACHE);
  // The page must be the one of this version, whatever the browser has kept of it; and it knows nothing of its reader.
  const page = await fetch(`${SHELL}?kept`, { cache: "reload" });
  if (!page.ok) {
    throw new Error(`the page cannot be kept: ${page.status}`);
  }
  await cache.put(SHELL, page);
  await cache.addAll(KEPT);
}

async function dropOlder() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith("nova-") && name !== CACHE).map((name) => caches.delete(name)));
}

async function fromCache(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request);
  if (kept) {
    return kept;
  }
  const answer = await fetch(request);
  if (answer.ok) {
    await cache.put(request, answer.clone());
  }
  return answer;
}

async function fromServer(request) {
  const kept = () => caches.match(SHELL, { cacheName: CACHE });
  try {
    const answer = await fetch(request);
    // A proxy whose server is away answers 502: the client itself tells more.
    return answer.status < 500 ? answer : ((await kept()) ?? answer);
  } catch (error) {
    const page = await kept();
    if (page) {
      return page;
    }
    throw error;
  }
}
