// Facebook appends "#_=_" to the address it sends people back to, and browsers carry a fragment over our redirects.
if (location.hash === "#_=_") {
  history.replaceState(history.state, "", location.pathname + location.search);
}
