"""How gunicorn serves the club."""

from kakaoauth import KakaoAuth


def post_worker_init(worker):
    # What a running site does by itself, such as telling Kakao once more that somebody has left.
    KakaoAuth.start_jobs(worker.wsgi)
