"""Signals (blinker) that a host can connect to. They are sent after the commit; the sender is the Flask app.

user_signed_up      user_id, provider           a first login has created the account; and `fields`, what the host's
                                                sign_up_form has taken, where there is one
user_logged_in      user_id, provider, is_new   in a browser, an app, a front end, by password
user_logged_out     user_id                     in this browser
login_refused       error, provider             an AppError; its `reason` is for logs only
identity_linked     user_id, provider
identity_unlinked   user_id, provider
user_closed         user_id                     the person has closed the account, and may restore it for a while
user_restored       user_id                     by the person or a superuser
user_left           user_id                     the account is erased, by the person, a superuser or a provider's
message
"""

from blinker import Namespace

_signals = Namespace()

user_signed_up = _signals.signal("user_signed_up")
user_logged_in = _signals.signal("user_logged_in")
user_logged_out = _signals.signal("user_logged_out")
login_refused = _signals.signal("login_refused")
identity_linked = _signals.signal("identity_linked")
identity_unlinked = _signals.signal("identity_unlinked")
user_closed = _signals.signal("user_closed")
user_restored = _signals.signal("user_restored")
user_left = _signals.signal("user_left")
