"""What a host is told (blinker), after the transaction has been committed. The sender is the Flask app.

user_signed_up      user_id, provider           a first login has made the account
user_logged_in      user_id, provider, is_new   by a page, an app, a front end, a password
user_logged_out     user_id                     in this browser
login_refused       error, provider             an AppError; its `reason` is for logs only
identity_linked     user_id, provider
identity_unlinked   user_id, provider
user_left           user_id                     by themselves, by a superuser, by a provider's message
"""

from blinker import Namespace

_signals = Namespace()

user_signed_up = _signals.signal("user_signed_up")
user_logged_in = _signals.signal("user_logged_in")
user_logged_out = _signals.signal("user_logged_out")
login_refused = _signals.signal("login_refused")
identity_linked = _signals.signal("identity_linked")
identity_unlinked = _signals.signal("identity_unlinked")
user_left = _signals.signal("user_left")
