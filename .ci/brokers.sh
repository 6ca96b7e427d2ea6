# A Redis and a RabbitMQ for the lanes on real brokers; sourced by .ci/run.
# They listen on 127.0.0.1 only, on free ports, and keep what they write in $scratch.

# Debian wraps these so that root becomes the user rabbitmq, who may not write in $scratch.
RABBITMQ_BIN=/usr/lib/rabbitmq/bin

REDIS_PID="" RABBIT_PID="" EPMD_PID=""

# Debian's packages, for whoever lacks them. A package's own service is not started.
install_brokers() {
    local missing=() as_root=""
    command -v redis-server >/dev/null || missing+=(redis-server)
    [ -x "$RABBITMQ_BIN/rabbitmq-server" ] || missing+=(rabbitmq-server)
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    printf '#!/bin/sh\nexit 101\n' | $as_root tee /usr/sbin/policy-rc.d >/dev/null
    $as_root chmod +x /usr/sbin/policy-rc.d
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq -y --no-install-recommends "${missing[@]}" >"$scratch/apt.log" 2>&1 ||
        { tail -n 20 "$scratch/apt.log"; return 1; }
    $as_root rm /usr/sbin/policy-rc.d
}

free_port() {
    python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Runs a command again and again until it succeeds. $1 is how often, with a second between.
wait_for() {
    local left=$1
    shift
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || { printf 'it does not answer: %s\n' "$*"; return 1; }
        sleep 1
    done
}

# Sets KATAS_TEST_REDIS to the address of the server.
start_redis() {
    local port
    port=$(free_port)
    redis-server --bind 127.0.0.1 --port "$port" --save "" --dir "$scratch" \
        >"$scratch/redis.log" 2>&1 &
    REDIS_PID=$!
    wait_for 30 redis-cli -p "$port" ping
    KATAS_TEST_REDIS="redis://127.0.0.1:$port/0"
}

# Sets KATAS_TEST_AMQP to the address of the server. Everything that Erlang starts is told
# to stay on the loopback interface: the server, its distribution port and epmd.
start_rabbitmq() {
    export RABBITMQ_NODENAME="kata$$@localhost"
    export RABBITMQ_NODE_IP_ADDRESS=127.0.0.1
    RABBITMQ_NODE_PORT=$(free_port) RABBITMQ_DIST_PORT=$(free_port) ERL_EPMD_PORT=$(free_port)
    export RABBITMQ_NODE_PORT RABBITMQ_DIST_PORT ERL_EPMD_PORT
    export ERL_EPMD_ADDRESS=127.0.0.1
    export RABBITMQ_MNESIA_BASE="$scratch/rabbitmq" RABBITMQ_LOG_BASE="$scratch/rabbitmq-log"
    export RABBITMQ_ENABLED_PLUGINS_FILE="$scratch/rabbitmq-plugins"
    export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"
    export RABBITMQ_CTL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"
    export RABBITMQ_HOME="$scratch/rabbitmq-home"
    mkdir -p "$RABBITMQ_MNESIA_BASE" "$RABBITMQ_LOG_BASE" "$RABBITMQ_HOME"
    HOME="$RABBITMQ_HOME" epmd >"$scratch/epmd.log" 2>&1 &
    EPMD_PID=$!
    HOME="$RABBITMQ_HOME" "$RABBITMQ_BIN/rabbitmq-server" >"$scratch/rabbitmq.log" 2>&1 &
    RABBIT_PID=$!
    wait_for 90 rabbitmq_ctl await_startup --timeout 5 || { tail "$scratch/rabbitmq.log"; return 1; }
    KATAS_TEST_AMQP="amqp://guest:guest@127.0.0.1:$RABBITMQ_NODE_PORT//"
}

rabbitmq_ctl() {
    HOME="$RABBITMQ_HOME" "$RABBITMQ_BIN/rabbitmqctl" --quiet -n "$RABBITMQ_NODENAME" "$@"
}

# The queues and the exchanges that RabbitMQ does not bring itself: none, unless a run left them.
rabbitmq_leftovers() {
    rabbitmq_ctl list_queues --no-table-headers name
    rabbitmq_ctl list_exchanges --no-table-headers name | grep -v -e '^amq\.' -e '^\s*$' || true
}

stop_brokers() {
    [ -z "$RABBIT_PID" ] || rabbitmq_ctl stop >/dev/null 2>&1 || kill "$RABBIT_PID" 2>/dev/null || true
    [ -z "$REDIS_PID" ] || kill "$REDIS_PID" 2>/dev/null || true
    [ -z "$RABBIT_PID" ] || wait "$RABBIT_PID" 2>/dev/null || true
    [ -z "$EPMD_PID" ] || kill "$EPMD_PID" 2>/dev/null || true  # it outlives the server
}
