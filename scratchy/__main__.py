from scratchy.cli import main

main()
