"""`python -m kakaoauth.embedded`, which is `make run`."""

import sys

from kakaoauth.embedded.supervisor import main

sys.exit(main())
