{{- define "plimsoll.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end -}}
{{- end }}

{{- define "plimsoll.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{- define "plimsoll.labels" -}}
{{ include "plimsoll.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "plimsoll.metadata" -}}
name: {{ include "plimsoll.name" .root }}-{{ .role }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "plimsoll.labels" . | nindent 2 }}
{{- end }}

{{/* What is merged over the file that the image ships for the role; of copies, since mergeOverwrite writes into what it is given. */}}
{{- define "plimsoll.config" -}}
{{- $over := dict }}
{{- with .root.Values.kafka.config }}{{ $_ := set $over "connectors" (dict "kafka" (deepCopy .)) }}{{ end }}
{{- if eq .role "store" }}
{{- with .root.Values.clickhouse.config }}{{ $_ := set $over "exporters" (dict "clickhouse" (deepCopy .)) }}{{ end }}
{{- end }}
{{- if eq .role "assess" }}
{{- $_ := set $over "exporters" (dict "kpi" (dict "scrape_interval" .root.Values.serviceMonitor.interval)) }}
{{- end }}
{{- if .root.Values.policies }}
{{- $_ := set $over "service" (dict "policies" (list "/etc/plimsoll/policies/*.yaml")) }}
{{- end }}
{{- toYaml (mergeOverwrite $over (deepCopy (index .root.Values .role).config)) }}
{{- end }}

{{- define "plimsoll.secretVariable" -}}
- name: {{ .name }}
  valueFrom: { secretKeyRef: { name: {{ .root.Values.secret.name }}, key: {{ .key }} } }
{{- end }}
