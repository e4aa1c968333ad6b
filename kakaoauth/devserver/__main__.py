"""`python -m kakaoauth.devserver`, which is `make run`."""

import sys

from kakaoauth.devserver.supervisor import main

sys.exit(main())
