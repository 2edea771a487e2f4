{{/*
The value of a dotted key, as {"is": VALUE}; {}: there is none.
*/}}
{{- define "gyrfalcon.ofConfig" -}}
{{- $at := dict "is" .config }}
{{- range $name := splitList "." .key }}
{{- $inner := $at.is }}
{{- $at = dict }}
{{- if kindIs "map" $inner }}
{{- if hasKey $inner $name }}
{{- $at = dict "is" (get $inner $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- $at | toJson }}
{{- end }}

{{/*
What would leave a node unwatched, or without sandboxes, is an error here.
*/}}
{{- define "gyrfalcon.checks" -}}
{{- $version := include "gyrfalcon.kubeVersion" . }}
{{- if contains "-gke." $version }}
{{- if not (or (semverCompare ">=1.25.0-gke.200" $version) (and (semverCompare ">=1.24.4-gke.1800" $version) (semverCompare "<1.25.0-0" $version))) }}
{{- fail (printf "GKE %s is too old: GKE Sandbox reads pod-init-config from 1.24.4-gke.1800 and 1.25.0-gke.200 on; upgrade the node pool" $version) }}
{{- end }}
{{- end }}
{{- if and (eq .Values.onFailure "closed") (not .Values.cleanup.enabled) }}
{{- fail "onFailure: closed needs cleanup.enabled: true. Without it, after `helm uninstall` no sandbox could start on these nodes: runsc would go on asking for a socket that nobody listens at" }}
{{- end }}
{{- if and (ne (toString .Values.updateStrategy.type) "RollingUpdate") (eq .Values.onFailure "closed") }}
{{- fail "onFailure: closed needs updateStrategy.type: RollingUpdate: with OnDelete no sandbox starts between the old pod's end and the new one's start" }}
{{- end }}
{{- $surge := dig "rollingUpdate" "maxSurge" 0 .Values.updateStrategy | toString | trimSuffix "%" }}
{{- if and (eq .Values.onFailure "closed") (eq (int $surge) 0) }}
{{- fail "onFailure: closed needs updateStrategy.rollingUpdate.maxSurge above 0: without it no sandbox starts between the old pod's end and the new one's start" }}
{{- end }}
{{- $made := dict
  "engine.gvisor.config" "node.stateFolder"
  "gvisor.socket" "node.socketFolder"
  "gvisor.runsc" "node.runsc"
  "gvisor.root" "node.runscRoot"
  "gvisor.runsc_toml" "node.runscToml"
  "gvisor.session_profile" "sessionProfile"
  "gvisor.on_failure" "onFailure"
  "metadata.pods.watch" "podWatch.enabled" }}
{{- range $mapping := list "engine" "engine.gvisor" "gvisor" "metadata" "metadata.pods" }}
{{- $value := include "gyrfalcon.ofConfig" (dict "config" $.Values.config "key" $mapping) | fromJson }}
{{- if and (hasKey $value "is") (not (kindIs "map" $value.is)) }}
{{- fail (printf "config.%s must be a mapping: it would go over all that the chart makes there" $mapping) }}
{{- end }}
{{- end }}
{{- range $key, $instead := $made }}
{{- if hasKey (include "gyrfalcon.ofConfig" (dict "config" $.Values.config "key" $key) | fromJson) "is" }}
{{- fail (printf "config.%s is made by the chart, whose mounts, probes and cleanup go by it: set %s instead" $key $instead) }}
{{- end }}
{{- end }}
{{- if and .Values.hostNetwork .Values.podMonitor.enabled }}
{{- fail "podMonitor needs a declared port, and with hostNetwork that would keep the new pod of a rollout from starting beside the old one: use serviceMonitor.enabled instead" }}
{{- end }}
{{- if and (or .Values.podMonitor.enabled .Values.serviceMonitor.enabled) (not .Values.metrics.enabled) }}
{{- fail "podMonitor and serviceMonitor need metrics.enabled: true" }}
{{- end }}
{{- if and .Values.podWatch.enabled (eq (include "gyrfalcon.serviceAccountName" .) "default") }}
{{- fail "podWatch needs a service account of its own: with `default` every pod of this namespace could list the cluster's pods. Set serviceAccount.create: true, or serviceAccount.name" }}
{{- end }}
{{- if and .Values.podWatch.enabled .Values.networkPolicy.enabled .Values.networkPolicy.restrictEgress (not .Values.networkPolicy.egress) }}
{{- fail "podWatch needs the API server, and networkPolicy.restrictEgress lets nothing out: let its address out by networkPolicy.egress" }}
{{- end }}
{{- if and .Values.rules .Values.rulesConfigMap }}
{{- fail "rules and rulesConfigMap: give one of them" }}
{{- end }}
{{- if not (or .Values.shippedRules .Values.rules .Values.rulesConfigMap) }}
{{- fail "shippedRules: false leaves no rules: give rules or rulesConfigMap" }}
{{- end }}
{{- range $name, $_ := .Values.rules }}
{{- if not (regexMatch "^[A-Za-z0-9._-]+[.]ya?ml$" $name) }}
{{- fail (printf "rules: %q is no name of a rules file; it must end in .yaml or .yml" $name) }}
{{- end }}
{{- end }}
{{- range $path := list .Values.node.runsc .Values.node.runscRoot .Values.node.bundles .Values.node.socketFolder .Values.node.stateFolder | concat .Values.node.runscToml }}
{{- if or (not (hasPrefix "/" $path)) (hasSuffix "/" $path) (contains "//" $path) (contains "/../" $path) }}
{{- fail (printf "node: %q must be an absolute path, without a / at its end" $path) }}
{{- end }}
{{- end }}
{{- range $folder := list .Values.node.socketFolder .Values.node.stateFolder | concat (list (dir .Values.node.runsc) .Values.node.runscRoot .Values.node.bundles) }}
{{- if has $folder (list "/" "/etc" "/run" "/var" "/var/lib" "/usr" "/bin" "/proc" "/sys" "/dev" "/usr/bin") }}
{{- fail (printf "node: %s would be mounted over the image's own; name a folder below it" $folder) }}
{{- end }}
{{- end }}
{{- range .Values.node.runscToml }}
{{- if has (dir .) (list "/" "/etc" "/run" "/var" "/var/lib" "/usr" "/bin" "/usr/bin") }}
{{- fail (printf "node.runscToml: %s would be mounted over the image's own; put the file into a folder below it" (dir .)) }}
{{- end }}
{{- end }}
{{- if or (hasPrefix "/run/" .Values.node.stateFolder) (hasPrefix "/tmp/" .Values.node.stateFolder) (hasPrefix "/var/run/" .Values.node.stateFolder) }}
{{- fail "node.stateFolder must be on a disk: the session config lies there, and after a reboot no sandbox would start without it" }}
{{- end }}
{{- end }}
