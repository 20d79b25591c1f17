// Runs before anything is painted, so that a chosen theme does not begin with a flash of the other one: a module would
// come too late. What it reads is written by preferences.js.
try {
  document.documentElement.dataset.theme = JSON.parse(localStorage.getItem("nova.theme")) ?? "system";
} catch {
  // forbidden or unreadable: the system's theme
}
