#!/bin/sh
# Installs a Keycloak distribution into a folder through Maven and prints its home:
#
#   KEYCLOAK_HOME=$(fetch.sh .tools)
#
# It needs mvn, unzip (or jar) and a Java of at least version 21, which it installs when there is none.
# KEYCLOAK_VERSION chooses the version.
set -eu

version=${KEYCLOAK_VERSION:-26.5.0}
into=${1:?usage: fetch.sh FOLDER}
mkdir -p "$into"
into=$(cd "$into" && pwd)
home=$into/keycloak-$version

java_major() {
	sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release" 2>/dev/null
}

find_java() {
	for dir in "${JAVA_HOME:-}" /usr/lib/jvm/*; do
		[ -x "$dir/bin/java" ] || continue
		major=$(java_major "$dir") || continue
		if [ "${major:-0}" -ge 21 ]; then
			echo "$dir"
			return 0
		fi
	done
	return 1
}

if ! JAVA_HOME=$(find_java); then
	apt-get update -qq >&2
	# Distributions differ in which of these they have.
	for package in openjdk-25-jre-headless openjdk-21-jre-headless temurin-25-jdk temurin-21-jdk; do
		if apt-get install -y -qq "$package" >&2; then
			break
		fi
	done
	if ! JAVA_HOME=$(find_java); then
		echo "fetch.sh: no Java of at least version 21 is to be had" >&2
		exit 1
	fi
fi
export JAVA_HOME

if [ ! -x "$home/bin/kc.sh" ]; then
	mvn -q -B dependency:copy \
		"-Dartifact=org.keycloak:keycloak-quarkus-dist:$version:zip" \
		"-DoutputDirectory=$into" >&2
	zip=$into/keycloak-quarkus-dist-$version.zip
	if command -v unzip >/dev/null; then
		unzip -q -o "$zip" -d "$into"
	else
		(cd "$into" && "$JAVA_HOME/bin/jar" xf "$zip")
		chmod +x "$home/bin/kc.sh"
	fi
	rm -f "$zip"
fi
echo "$home"
