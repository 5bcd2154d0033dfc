"""The largest inputs netsim accepts, in one place: beyond these a file is refused before anything is built."""

MAX_FILE_BYTES = 1 << 20
MAX_DEPTH = 24
MAX_NODES = 20_000
MAX_SCALAR_CHARS = 4_096
MAX_SHOWN_CHARS = 60

MAX_SLICES = 16
MAX_USERS = 250_000
MAX_QUEUE_PACKETS = 4_096
MAX_QUEUE_CELLS = 20_000_000
MAX_EVENTS = 1_000
MAX_CURVE_POINTS = 10_000
MAX_PRB = 275  # the widest NR carrier, TS 38.101-1 table 5.3.2-1
MAX_TIME_NS = 10**18  # 31 years
MAX_PACKET_BITS = 1 << 40
MAX_RATE_BPS = 10**13
MAX_TRACE_PACKETS = 50_000_000
MAX_ALLOCATIONS = 5_000_000  # listed and tried one by one; some hours of a race
