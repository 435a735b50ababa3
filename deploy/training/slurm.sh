#!/usr/bin/env bash
# Trains on the nodes of a Slurm job: a worker a node, with all GPUs of the job on it.
#
#   sbatch --nodes=2 --gpus-per-node=4 --time=4:00:00 deploy/training/slurm.sh \
#       --config flickr8k --records data/records/flickr8k --workdir runs/two
#
# The arguments are those of `tfcap train`, which must be on the PATH of every node; records are at the
# same path on all. Two minutes before the time is over, and when the job is preempted, the workers get
# SIGTERM, save their state and end with exit code 75. The job is then queued again and resumes. After
# any other failure the workers start again from the last checkpoint, RESTARTS times (3).
#SBATCH --job-name=tfcap
#SBATCH --ntasks-per-node=1
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=tfcap-%j.log
set -euo pipefail

RESTARTS="${RESTARTS:-3}"
PORT="${PORT:-$((20000 + SLURM_JOB_ID % 10000))}" # jobs that share a node have different ones

nodes=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
# shellcheck disable=SC2086
addresses=$(printf "\"%s:$PORT\", " $nodes)
export CLUSTER="{\"worker\": [${addresses%, }]}"

# Sets the variable that `tfcap launch` sets. No task is killed because another has ended: the chief ends
# last, when its state is saved, and the workers notice by themselves that one is lost.
run_workers() {
    # shellcheck disable=SC2016
    srun --label --kill-on-bad-exit=0 --wait=0 bash -c '
        task="{\"type\": \"worker\", \"index\": $SLURM_PROCID}"
        export TF_CONFIG="{\"cluster\": $CLUSTER, \"task\": $task}"
        exec tfcap train "$@"' worker "$@"
}

for ((left = RESTARTS; ; left--)); do
    code=0
    run_workers "$@" || code=$?
    if ((code == 75)); then
        scontrol requeue "$SLURM_JOB_ID"
        exit 0
    fi
    # 0: finished; 2: wrong usage, which would be the same again; 130: scancel --signal=INT
    if ((code == 0 || code == 2 || code == 130 || left == 0)); then
        exit "$code"
    fi
    echo "exit code $code; starting again from the last checkpoint, $((left - 1)) restarts left" >&2
done
