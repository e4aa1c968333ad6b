"""`python -m kakaoauth.devserver`, which is `make run`."""

import sys

from kakaoauth.devserver.launch import main

sys.exit(main())
