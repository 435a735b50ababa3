#!/usr/bin/env bash
# A Flink cluster on this machine, for trying a job out: a job manager and task managers of
# one slot each, every one a process of its own, from the libraries of the job server.
#
#   deploy/flink_cluster.sh start DIRECTORY [TASK_MANAGERS]   # default 2; DIRECTORY is new
#   deploy/flink_cluster.sh stop DIRECTORY
#
#   PORT           of the job manager's address, http://localhost:PORT (8081)
#   JOB_SERVERS    where deploy/job_server.sh put its jar (build/job_servers)
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
folder=${2:-}
port=${PORT:-8081}
patience=60 # seconds

fail() { echo "$0: $2" >&2; exit "$1"; }

launch() { # NAME, class: a process in the background, its log beside
    # Flink sees into Java's own classes, which Java 17 takes for an attack.
    java --add-opens=java.base/java.util=ALL-UNNAMED \
        --add-opens=java.base/java.lang=ALL-UNNAMED \
        --add-opens=java.base/java.nio=ALL-UNNAMED \
        --add-opens=java.base/java.util.concurrent=ALL-UNNAMED \
        -cp "$jar" "$2" --configDir "$folder/conf" "${@:3}" > "$folder/$1.log" 2>&1 &
    echo $! >> "$folder/pids"
}

ready() { # as many task managers as asked for
    curl --silent --fail "http://localhost:$port/overview" 2> /dev/null \
        | grep -q "\"taskmanagers\":$1[,}]"
}

start() {
    jar=$("$here/deploy/job_server.sh" flink "${JOB_SERVERS:-$here/build/job_servers}")
    mkdir -p "$folder/conf"
    cat > "$folder/conf/config.yaml" << EOF
jobmanager.rpc.address: localhost
jobmanager.rpc.port: $((port + 1))
jobmanager.memory.process.size: 768m
taskmanager.numberOfTaskSlots: 1
taskmanager.bind-host: localhost
taskmanager.host: localhost
rest.address: localhost
rest.port: $port
EOF
    launch job_manager \
        org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint
    for number in $(seq "$1"); do
        launch "task_manager_$number" \
            org.apache.flink.runtime.taskexecutor.TaskManagerRunner \
            -Dtaskmanager.resource-id="$number" -Dtaskmanager.cpu.cores=1 \
            -Dtaskmanager.memory.task.heap.size=256m \
            -Dtaskmanager.memory.task.off-heap.size=0m \
            -Dtaskmanager.memory.framework.heap.size=128m \
            -Dtaskmanager.memory.framework.off-heap.size=128m \
            -Dtaskmanager.memory.network.min=256m -Dtaskmanager.memory.network.max=256m \
            -Dtaskmanager.memory.managed.size=128m \
            -Dtaskmanager.memory.jvm-metaspace.size=256m \
            -Dtaskmanager.memory.jvm-overhead.min=128m \
            -Dtaskmanager.memory.jvm-overhead.max=128m
    done
    for _ in $(seq "$patience"); do
        if ready "$1"; then
            echo "http://localhost:$port"
            return
        fi
        sleep 1
    done
    stop
    fail 1 "no cluster after $patience seconds; its logs are in $folder"
}

stop() {
    xargs --no-run-if-empty kill < "$folder/pids" 2> /dev/null || true
    rm -f "$folder/pids"
}

[ -n "$folder" ] || fail 2 "usage: $0 start DIRECTORY [TASK_MANAGERS] | stop DIRECTORY"
case $1 in
start)
    [ ! -e "$folder/pids" ] || fail 2 "$folder: a cluster runs there; stop it first"
    start "${3:-2}"
    ;;
stop)
    [ -e "$folder/pids" ] || fail 2 "$folder: no cluster runs there"
    stop
    ;;
*) fail 2 "usage: $0 start DIRECTORY [TASK_MANAGERS] | stop DIRECTORY" ;;
esac
