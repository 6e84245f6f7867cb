// Pins the go2rtc that the integration tests play from: `go build -o go2rtc github.com/AlexxIT/go2rtc`.
module nvr-test-servers

go 1.21

require github.com/AlexxIT/go2rtc v1.7.1
