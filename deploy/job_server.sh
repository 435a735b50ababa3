#!/usr/bin/env bash
# Makes Beam's job server for Flink or Spark, a Java program, and prints the jar's path.
# A jar that is there stays, unless `job_server/pom.xml` is newer.
#
#   deploy/job_server.sh flink [DIRECTORY]      # default build/job_servers
#   deploy/job_server.sh spark [DIRECTORY]
#
# Its parts come through Maven: the runner's published library and all it needs. Job
# server and worker speak a protocol that is the same in both versions, so that of Java
# may be older than that of Python.
#
#   BEAM_JAVA      version of Beam's Java libraries (2.62.0)
#   FLINK          version of the cluster it is for (1.19)
#
# Exit codes: 2 wrong usage, 3 a program is missing, 4 Maven could not fetch a part.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
engine=${1:-}
beam=${BEAM_JAVA:-2.62.0}

fail() { echo "$0: $2" >&2; exit "$1"; }

case $engine in
flink) runner=flink-${FLINK:-1.19} main=org.apache.beam.runners.flink.FlinkJobServerDriver ;;
spark) runner=spark-3 main=org.apache.beam.runners.spark.SparkJobServerDriver ;;
*) fail 2 "usage: $0 flink|spark [DIRECTORY]" ;;
esac
for program in java mvn; do
    command -v "$program" > /dev/null || fail 3 "no program $program on this machine"
done

mkdir -p "${2:-$here/build/job_servers}"
folder=$(cd "${2:-$here/build/job_servers}" && pwd)
jar=$folder/$runner-job-server-$beam.jar
pom=$here/deploy/job_server/pom.xml
if [ ! "$jar" -nt "$pom" ]; then
    rm -f "$jar"
    mvn --batch-mode --quiet --file "$pom" \
        -Drunner="$runner" -Dbeam="$beam" -Dmain="$main" -Dfolder="$folder" \
        dependency:copy-dependencies jar:jar >&2 \
        || fail 4 "Maven could not make it of beam-runners-$runner $beam; it said why above"
fi
echo "$jar"
