// The command check: runs in the service's directory with its environment, so PORT is the service's port.
const answer = await fetch(`http://127.0.0.1:${process.env.PORT}/health`)
console.log(`status ${answer.status}`)
process.exitCode = answer.ok ? 0 : 1
