{{- define "gyrfalcon.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "gyrfalcon.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "gyrfalcon.selectorLabels" -}}
app.kubernetes.io/name: {{ include "gyrfalcon.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "gyrfalcon.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "gyrfalcon.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "gyrfalcon.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{- define "gyrfalcon.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "gyrfalcon.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/*
Of what belongs to no namespace, so that two releases of one name do not meet.
*/}}
{{- define "gyrfalcon.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "gyrfalcon.fullname" .) }}
{{- end }}

{{- define "gyrfalcon.priorityClassName" -}}
{{- .Values.priorityClass.name | default (ternary (include "gyrfalcon.fullname" .) "" .Values.priorityClass.create) }}
{{- end }}

{{- define "gyrfalcon.rulesConfigMap" -}}
{{- .Values.rulesConfigMap | default (ternary (printf "%s-rules" (include "gyrfalcon.fullname" .)) "" (not (empty .Values.rules))) }}
{{- end }}

{{- define "gyrfalcon.sessionFile" -}}
{{ .Values.node.stateFolder }}/pod-init.json
{{- end }}

{{- define "gyrfalcon.socket" -}}
{{ .Values.node.socketFolder }}/gvisor.sock
{{- end }}

{{/*
The daemon's config: what follows from the values, and over it what `config` says. Keys as in docs/operating.md.
*/}}
{{- define "gyrfalcon.config" -}}
{{- $rules := list }}
{{- if .Values.shippedRules }}{{ $rules = append $rules "/usr/share/gyrfalcon/gyrfalcon_rules.yaml" }}{{ end }}
{{- if include "gyrfalcon.rulesConfigMap" . }}{{ $rules = append $rules "/etc/gyrfalcon/rules.d" }}{{ end }}
{{- $listen := dict "enabled" .Values.metrics.enabled "listen_address" "0.0.0.0" "listen_port" .Values.metrics.port }}
{{- $made := dict
  "rules_files" $rules
  "json_output" true
  "engine" (dict "gvisor" (dict "config" (include "gyrfalcon.sessionFile" .)))
  "gvisor" (dict
    "socket" (include "gyrfalcon.socket" .)
    "runsc" .Values.node.runsc
    "root" (printf "%s/k8s.io" .Values.node.runscRoot)
    "runsc_toml" .Values.node.runscToml
    "session_profile" .Values.sessionProfile
    "on_failure" .Values.onFailure)
  "store" (dict "path" (printf "%s/alerts.db" .Values.node.stateFolder))
  "webserver" $listen }}
{{- if .Values.podWatch.enabled }}
{{- $_ := set $made "metadata" (dict "pods" (dict "watch" true "node" "${NODE_NAME}")) }}
{{- end }}
{{- mergeOverwrite $made (deepCopy .Values.config) | toYaml }}
{{- end }}

{{/*
The node's folders, as "PATH RW|RO PROPAGATION TYPE" lines; one that is written and read is written.
*/}}
{{- define "gyrfalcon.folders" -}}
{{- $written := dict .Values.node.socketFolder "DirectoryOrCreate" .Values.node.stateFolder "DirectoryOrCreate" }}
{{- range .Values.node.runscToml }}{{ $_ := set $written (dir .) "Directory" }}{{ end }}
{{- $read := dict (dir .Values.node.runsc) "Directory" .Values.node.runscRoot "DirectoryOrCreate" .Values.node.bundles "DirectoryOrCreate" }}
{{- range $path := keys $written $read | uniq | sortAlpha }}
- path: {{ $path }}
  readOnly: {{ not (hasKey $written $path) }}
  type: {{ get $written $path | default (get $read $path) }}
{{- end }}
{{- end }}

{{- define "gyrfalcon.volumeMounts" -}}
{{- range $i, $folder := include "gyrfalcon.folders" . | fromYamlArray }}
- name: node-{{ $i }}
  mountPath: {{ $folder.path }}
  readOnly: {{ $folder.readOnly }}
  {{- if $folder.readOnly }}
  mountPropagation: HostToContainer
  {{- end }}
{{- end }}
{{- end }}

{{- define "gyrfalcon.volumes" -}}
{{- range $i, $folder := include "gyrfalcon.folders" . | fromYamlArray }}
- name: node-{{ $i }}
  hostPath:
    path: {{ $folder.path }}
    type: {{ $folder.type }}
{{- end }}
{{- end }}

{{/*
The nodes of the daemon's pods, but for taints.
*/}}
{{- define "gyrfalcon.nodes" -}}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/*
AppArmor's profile is a field from 1.30 on, an annotation before.
*/}}
{{- define "gyrfalcon.appArmorIsField" -}}
{{- if semverCompare ">=1.30.0-0" (include "gyrfalcon.kubeVersion" .) }}true{{ end }}
{{- end }}

{{- define "gyrfalcon.kubeVersion" -}}
{{- .Values.kubeVersion | default .Capabilities.KubeVersion.Version }}
{{- end }}
